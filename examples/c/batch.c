/*
 * Annotates the lines of standard input, on all processors at once, and prints a JSON array of documents.
 * Ctrl-C stops it; a second one does so at once.
 *
 *     cc batch.c $(pkg-config --cflags --libs hmtl) -o batch
 *     ./batch [MODEL_DIRECTORY] <texts.txt
 */
#include <hmtl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hmtl_cancel *cancel;

static void on_interrupt(int number)
{
    hmtl_cancel_trigger(cancel);
    signal(number, SIG_DFL);
}

/* Reports and frees `error`; returns 0 when there is none. */
static int failed(hmtl_error *error)
{
    if (error == NULL)
        return 0;
    fprintf(stderr, "batch: %s\n", hmtl_error_message(error));
    hmtl_error_free(error);
    return 1;
}

/* Reads `file` to its end into a buffer that the caller frees; NULL on failure. */
static char *read_all(FILE *file, size_t *length)
{
    size_t capacity = 64 * 1024, used = 0;
    char *buffer = malloc(capacity), *larger;
    while (buffer != NULL) {
        used += fread(buffer + used, 1, capacity - used, file);
        if (used < capacity) {
            if (ferror(file))
                break;
            *length = used;
            return buffer;
        }
        larger = realloc(buffer, capacity *= 2);
        if (larger == NULL)
            break;
        buffer = larger;
    }
    free(buffer);
    return NULL;
}

/* The lines of `text`, which they point into; the caller frees the array. NULL on failure. */
static hmtl_str *split(const char *text, size_t length, size_t *count)
{
    const char *end = text + length, *newline;
    size_t capacity = 1, i;
    hmtl_str *lines;
    for (i = 0; i < length; i++)
        capacity += text[i] == '\n';
    lines = malloc(capacity * sizeof *lines);
    for (*count = 0; lines != NULL && text < end; text = newline + 1) {
        newline = memchr(text, '\n', (size_t)(end - text));
        if (newline == NULL)
            newline = end;
        lines[*count].data = text;
        lines[(*count)++].len = (size_t)(newline - text);
    }
    return lines;
}

static int annotate(const char *directory, const hmtl_str *texts, size_t count)
{
    hmtl_model *model = NULL;
    char *json = NULL;
    int status = 1;
    if (failed(hmtl_model_load(directory, NULL, &model)))
        return 1;
    if (!failed(hmtl_model_annotate_batch(model, texts, count, NULL, cancel, &json)))
        status = puts(json) == EOF || fflush(stdout) != 0;
    hmtl_string_free(json);
    hmtl_model_free(model);
    return status;
}

int main(int argc, char **argv)
{
    size_t length = 0, count = 0;
    char *input;
    hmtl_str *texts = NULL;
    int status = 1;
    cancel = hmtl_cancel_new();
    input = read_all(stdin, &length);
    if (input != NULL)
        texts = split(input, length, &count);
    if (texts != NULL) {
        /* Not before: reading is not what the token stops. */
        signal(SIGINT, on_interrupt);
        status = annotate(argc > 1 ? argv[1] : NULL, texts, count);
        /* The handler must not find a token that is freed. */
        signal(SIGINT, SIG_DFL);
    } else {
        fputs("batch: cannot read standard input\n", stderr);
    }
    free(texts);
    free(input);
    hmtl_cancel_free(cancel);
    return status;
}
