/* A libcuda.so.1 with the functions of the driver that the library asks for a device's name and memory. */
#include <stddef.h>
#include <string.h>

int cuInit(unsigned flags) { return (int)flags; }

int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return ordinal == 0 ? 0 : 101; /* CUDA_ERROR_INVALID_DEVICE */
}

int cuDeviceGetName(char *name, int size, int device) {
    (void)device;
    strncpy(name, "Pretend GPU", (size_t)size);
    return 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    (void)device;
    *bytes = (size_t)1 << 30;
    return 0;
}
