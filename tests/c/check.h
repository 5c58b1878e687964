/* Checks of the C tests: a failed one prints itself and leaves its function with 1. */
#ifndef CHECK_H
#define CHECK_H

#include <hmtl.h>
#include <stdio.h>
#include <string.h>

#define CHECK(cond)                                                        \
    do {                                                                   \
        if (!(cond)) {                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);     \
            return 1;                                                      \
        }                                                                  \
    } while (0)

/* Frees `error`; 1 when it has this code and a message of one line that holds `part`. */
static int is(hmtl_error *error, hmtl_code code, const char *part)
{
    const char *message = hmtl_error_message(error);
    int same = hmtl_error_code(error) == code && strstr(message, part) != NULL &&
               strchr(message, '\n') == NULL;
    if (!same)
        fprintf(stderr, "code %d: %s\n", (int)hmtl_error_code(error), message);
    hmtl_error_free(error);
    return same;
}

#define REFUSED(error, part) CHECK(is(error, HMTL_CODE_INVALID_ARGUMENT, part))
#define OK(error) CHECK(is(error, HMTL_CODE_OK, ""))

/* Frees `json`; 1 when it holds `part`. */
static int holds(char *json, const char *part)
{
    int found = json != NULL && strstr(json, part) != NULL;
    if (!found)
        fprintf(stderr, "no %s in %s\n", part, json == NULL ? "NULL" : json);
    hmtl_string_free(json);
    return found;
}

#endif
