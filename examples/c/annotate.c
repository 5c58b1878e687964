/*
 * Annotates files, or standard input, with the model that ships with the library or with the one
 * given by -m, and prints one JSON document a line.
 *
 *     cc annotate.c $(pkg-config --cflags --libs hmtl) -o annotate
 *     ./annotate [-m MODEL_DIRECTORY] [FILE...]
 */
#include <errno.h>
#include <hmtl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reports and frees `error`; returns 0 when there is none. */
static int failed(const char *what, hmtl_error *error)
{
    if (error == NULL)
        return 0;
    fprintf(stderr, "annotate: %s: %s\n", what, hmtl_error_message(error));
    hmtl_error_free(error);
    return 1;
}

/* Reads `file` to its end into a buffer that the caller frees; NULL with errno set on failure. */
static char *read_all(FILE *file, size_t *length)
{
    size_t capacity = 64 * 1024, used = 0;
    char *buffer = malloc(capacity);
    while (buffer != NULL) {
        used += fread(buffer + used, 1, capacity - used, file);
        if (used < capacity) {
            if (!ferror(file)) {
                *length = used;
                return buffer;
            }
            break;
        }
        char *larger = realloc(buffer, capacity *= 2);
        if (larger == NULL)
            break;
        buffer = larger;
    }
    int reason = errno;
    free(buffer);
    errno = reason;
    return NULL;
}

/* Annotates the file at `path`, "-" being standard input; returns 0 on success. */
static int annotate(const hmtl_model *model, const char *path)
{
    int standard_input = strcmp(path, "-") == 0;
    FILE *file = standard_input ? stdin : fopen(path, "rb");
    size_t length = 0;
    char *text = file != NULL ? read_all(file, &length) : NULL;
    if (text == NULL)
        fprintf(stderr, "annotate: %s: %s\n", path, strerror(errno));
    if (file != NULL && !standard_input)
        fclose(file);
    if (text == NULL)
        return 1;

    char *json = NULL;
    int status = failed(path, hmtl_model_annotate(model, text, length, NULL, &json));
    if (status == 0 && puts(json) == EOF) {
        fprintf(stderr, "annotate: cannot write: %s\n", strerror(errno));
        status = 1;
    }
    hmtl_string_free(json);
    free(text);
    return status;
}

int main(int argc, char **argv)
{
    const char *directory = NULL; /* the model that ships with the library */
    int next = 1, status = 0;
    if (argc > 1 && strcmp(argv[1], "-m") == 0) {
        if (argc == 2) {
            fprintf(stderr, "usage: annotate [-m MODEL_DIRECTORY] [FILE...]\n");
            return 2;
        }
        directory = argv[2];
        next = 3;
    }

    hmtl_model *model = NULL;
    if (failed("model", hmtl_model_load(directory, NULL, &model)))
        return 1;
    if (next == argc)
        status = annotate(model, "-");
    for (; next < argc; next++)
        status |= annotate(model, argv[next]);
    hmtl_model_free(model);

    if (fflush(stdout) != 0) {
        fprintf(stderr, "annotate: cannot write: %s\n", strerror(errno));
        status = 1;
    }
    return status;
}
