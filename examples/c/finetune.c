/*
 * Teaches the model that ships the labels FOOD and TOOL from a handful of sentences. It keeps what it
 * knows: its parameters are frozen, and the new task has an encoder of its own above them.
 *
 *     cc finetune.c $(pkg-config --cflags --libs hmtl) -o finetune
 *     ./finetune [NEW_MODEL_DIRECTORY]
 */
#include <hmtl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char config[] =
    "{\"format\":1,\"start\":\"default\","
    " \"model\":{"
    "  \"encoders\":{\"own\":{\"type\":\"lstm\",\"inputs\":[\"embedding\",\"low\",\"mid\"],\"hidden\":50,\"layers\":1}},"
    "  \"tasks\":{\"kitchen\":{\"type\":\"crf_tagger\",\"on\":\"own\",\"input_dropout\":0.3,\"dropout\":0.3}}},"
    " \"training\":{\"seed\":1,\"epochs\":20,\"optimizer\":{\"learning_rate\":0.005},"
    "  \"freeze\":[\"embedding\",\"encoders.low\",\"encoders.mid\"],"
    "  \"tasks\":{\"kitchen\":{\"batch_size\":3}}},"
    " \"card\":{\"name\":\"kitchen\",\"language\":\"en\",\"license\":\"CC-BY-SA-4.0\"}}";

/* Tokens with spaces between them, and [what is to be found]LABEL. */
static const char *const sentences[] = {
    "Melt the [butter]FOOD in a [heavy saucepan]TOOL over low heat .",
    "Slice the [onions]FOOD thinly with a [sharp knife]TOOL .",
    "Stir in the [flour]FOOD with a [wooden spoon]TOOL .",
    "Pour the [beef stock]FOOD over the [onions]FOOD and wait .",
    "Season with [salt]FOOD and a little [black pepper]FOOD .",
    "My grandmother in Palermo never used [cream]FOOD .",
    "Whisk the [eggs]FOOD and the [milk]FOOD in a [bowl]TOOL .",
    "Drain the [rice]FOOD in a [sieve]TOOL , says Anna Berg .",
    "Cut the [bacon]FOOD into small cubes with [scissors]TOOL .",
    "She learned it in Lyon , from Paul , in the summer of 2009 .",
    "Beat the [cream]FOOD with a [whisk]TOOL until it is stiff .",
    "Fry the [garlic]FOOD in [olive oil]FOOD in a [large pan]TOOL .",
};

/* Reports and frees `error`; returns 0 when there is none. */
static int failed(const char *what, hmtl_error *error)
{
    if (error == NULL)
        return 0;
    fprintf(stderr, "finetune: %s: %s\n", what, hmtl_error_message(error));
    hmtl_error_free(error);
    return 1;
}

struct buffer {
    char data[16 * 1024];
    size_t used;
};

static void append(struct buffer *buffer, const char *format, ...)
{
    const size_t room = sizeof buffer->data - buffer->used;
    va_list list;
    int length;
    va_start(list, format);
    length = vsnprintf(buffer->data + buffer->used, room, format, list);
    va_end(list);
    if (length < 0 || (size_t)length >= room) {
        fputs("finetune: the data is too long\n", stderr);
        exit(1);
    }
    buffer->used += (size_t)length;
}

/* Adds a sentence as a document, a line of JSON. Its words hold nothing that JSON would escape. */
static void add_document(struct buffer *lines, const char *marked)
{
    static struct buffer text, tokens, mentions;
    size_t token = 0, first = 0, start = 0;
    text.used = tokens.used = mentions.used = 0;
    while (*marked != '\0') {
        size_t length;
        if (*marked == ' ') {
            append(&text, " ");
            marked++;
        }
        if (*marked == '[') {
            start = text.used;
            first = token;
            marked++;
        }
        length = strcspn(marked, " ]");
        append(&tokens, "%s{\"start\":%zu,\"end\":%zu}", token == 0 ? "" : ",", text.used, text.used + length);
        append(&text, "%.*s", (int)length, marked);
        token++;
        marked += length;
        if (*marked == ']') {
            const size_t label = strcspn(++marked, " ");
            append(&mentions,
                   "%s{\"start\":%zu,\"end\":%zu,\"first_token\":%zu,\"last_token\":%zu,\"text\":\"%s\","
                   "\"labels\":{\"kitchen\":{\"label\":\"%.*s\"}}}",
                   mentions.used == 0 ? "" : ",", start, text.used, first, token, text.data + start, (int)label, marked);
            marked += label;
        }
    }
    append(lines,
           "{\"tasks\":[\"kitchen\"],\"text\":\"%s\","
           "\"sentences\":[{\"start\":0,\"end\":%zu,\"first_token\":0,\"last_token\":%zu}],",
           text.data, text.used, token);
    append(lines, "\"tokens\":[%.*s],\"mentions\":[%.*s]}\n", (int)tokens.used, tokens.data, (int)mentions.used,
           mentions.data);
}

static int add_data(hmtl_trainer *trainer)
{
    static struct buffer lines;
    hmtl_dataset *dataset = NULL;
    size_t i;
    int status;
    for (i = 0; i < sizeof sentences / sizeof *sentences; i++)
        add_document(&lines, sentences[i]);
    if (failed("data", hmtl_dataset_from_jsonl(lines.data, lines.used, &dataset)))
        return 1;
    status = failed("data", hmtl_trainer_add_dataset(trainer, "kitchen", "train", dataset));
    hmtl_dataset_free(dataset); /* the trainer keeps what it needs */
    return status;
}

static void on_event(const char *event, void *user_data)
{
    static const char epoch[] = "{\"event\":\"epoch\"";
    (void)user_data;
    /* A program that wants more than a look reads the JSON with a library. */
    if (strncmp(event, epoch, sizeof epoch - 1) == 0)
        puts(event);
}

int main(int argc, char **argv)
{
    const char *text = "Maria Silva fried the onions and the bacon in a large saucepan in Lisbon.";
    hmtl_trainer *trainer = NULL;
    hmtl_model *model = NULL;
    char *json = NULL;
    int status = 1;
    if (!failed("config", hmtl_trainer_new(config, &trainer)) && add_data(trainer) == 0 &&
        !failed("training", hmtl_trainer_train(trainer, on_event, NULL, NULL, NULL)) &&
        !failed("model", hmtl_trainer_snapshot(trainer, &model)) &&
        !failed("text", hmtl_model_annotate(model, text, strlen(text), "{\"tasks\":[\"ner\",\"kitchen\"]}", &json)) &&
        (argc < 2 || !failed(argv[1], hmtl_model_save(model, argv[1], NULL))))
        status = puts(json) == EOF || fflush(stdout) != 0;
    hmtl_string_free(json);
    hmtl_model_free(model);
    hmtl_trainer_free(trainer);
    return status;
}
