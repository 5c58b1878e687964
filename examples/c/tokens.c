/*
 * Annotates text that another program has split into tokens: reads a token a line, with an empty line
 * after each sentence, and prints a JSON document.
 *
 *     cc tokens.c $(pkg-config --cflags --libs hmtl) -o tokens
 *     printf 'Maria\nleft\nOslo\n.\n\nShe\nsmiled\n.\n' | ./tokens [MODEL_DIRECTORY]
 */
#include <hmtl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads `file` to its end into a buffer that the caller frees; NULL on failure. */
static char *read_all(FILE *file, size_t *length)
{
    size_t capacity = 64 * 1024, used = 0;
    char *buffer = malloc(capacity);
    while (buffer != NULL) {
        char *larger;
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

struct input {
    hmtl_str *tokens;
    size_t *ends; /* the index after the last token of each sentence */
    size_t token_count, sentence_count;
};

/* Finds the tokens of `text`, which they point into, and the sentences; returns 0 on success. */
static int split(const char *text, size_t length, struct input *input)
{
    const char *end = text + length, *newline;
    size_t lines = 1, i;
    for (i = 0; i < length; i++)
        lines += text[i] == '\n';
    input->tokens = malloc(lines * sizeof *input->tokens);
    input->ends = malloc(lines * sizeof *input->ends);
    if (input->tokens == NULL || input->ends == NULL)
        return 1;
    for (; text < end; text = newline + 1) {
        newline = memchr(text, '\n', (size_t)(end - text));
        if (newline == NULL)
            newline = end;
        if (newline == text) {
            input->ends[input->sentence_count++] = input->token_count;
        } else {
            input->tokens[input->token_count].data = text;
            input->tokens[input->token_count++].len = (size_t)(newline - text);
        }
    }
    /* A sentence without tokens does no harm. */
    input->ends[input->sentence_count++] = input->token_count;
    return 0;
}

static int annotate(const char *directory, const struct input *input)
{
    hmtl_model *model = NULL;
    char *json = NULL;
    int status = 1;
    hmtl_error *error = hmtl_model_load(directory, NULL, &model);
    if (error == NULL)
        error = hmtl_model_annotate_tokens(model, input->tokens, input->token_count, input->ends,
                                           input->sentence_count, "{\"tasks\":[\"ner\"]}", &json);
    if (error != NULL)
        fprintf(stderr, "tokens: %s\n", hmtl_error_message(error));
    else
        status = puts(json) == EOF || fflush(stdout) != 0;
    hmtl_string_free(json);
    hmtl_model_free(model);
    hmtl_error_free(error);
    return status;
}

int main(int argc, char **argv)
{
    struct input input = {NULL, NULL, 0, 0};
    size_t length = 0;
    int status = 1;
    char *text = read_all(stdin, &length);
    if (text == NULL || split(text, length, &input) != 0)
        fputs("tokens: cannot read standard input\n", stderr);
    else
        status = annotate(argc > 1 ? argv[1] : NULL, &input);
    free(input.tokens);
    free(input.ends);
    free(text);
    return status;
}
