/*
 * Trains a model on data that it makes in memory, saves it, and annotates with it. Takes seconds.
 *
 *     cc train.c $(pkg-config --cflags --libs hmtl) -o train
 *     ./train NEW_MODEL_DIRECTORY
 */
#include <hmtl.h>
#include <stdio.h>
#include <string.h>

static const char config[] =
    "{\"format\":1,"
    " \"model\":{\"format\":1,"
    "  \"embedding\":{\"words\":{\"type\":\"table\",\"size\":16},"
    "                 \"chars\":{\"type\":\"cnn\",\"size\":8,\"filters\":16,\"widths\":[3]}},"
    "  \"encoders\":{\"low\":{\"type\":\"lstm\",\"inputs\":[\"embedding\"],\"hidden\":24,\"layers\":1}},"
    "  \"tasks\":{\"ner\":{\"type\":\"crf_tagger\",\"on\":\"low\"}}},"
    " \"training\":{\"seed\":1,\"epochs\":8,\"optimizer\":{\"learning_rate\":0.01},"
    "  \"tasks\":{\"ner\":{\"batch_size\":4}}},"
    " \"card\":{\"name\":\"travels\",\"language\":\"en\"}}";

static const char *const people[] = {"Ada", "Bo", "Cy", "Dina", "Eve", "Finn"};
static const char *const places[] = {"Oslo", "Rome", "Lima", "Paris", "Cairo"};

/* Reports and frees `error`; returns 0 when there is none. */
static int failed(const char *what, hmtl_error *error)
{
    if (error == NULL)
        return 0;
    fprintf(stderr, "train: %s: %s\n", what, hmtl_error_message(error));
    hmtl_error_free(error);
    return 1;
}

/* Writes the document "PERSON flew to PLACE ." as a line; returns its length, or 0 where it does not fit. */
static size_t write_document(char *line, size_t size, const char *person, const char *place)
{
    const int p = (int)strlen(person), to = p + 9, end = to + (int)strlen(place);
    const int length = snprintf(
        line, size,
        "{\"tasks\":[\"ner\"],\"text\":\"%s flew to %s .\","
        "\"sentences\":[{\"start\":0,\"end\":%d,\"first_token\":0,\"last_token\":5}],"
        "\"tokens\":[{\"start\":0,\"end\":%d},{\"start\":%d,\"end\":%d},{\"start\":%d,\"end\":%d},"
        "{\"start\":%d,\"end\":%d},{\"start\":%d,\"end\":%d}],"
        "\"mentions\":["
        "{\"start\":0,\"end\":%d,\"first_token\":0,\"last_token\":1,\"text\":\"%s\","
        "\"labels\":{\"ner\":{\"label\":\"PER\"}}},"
        "{\"start\":%d,\"end\":%d,\"first_token\":3,\"last_token\":4,\"text\":\"%s\","
        "\"labels\":{\"ner\":{\"label\":\"LOC\"}}}]}\n",
        person, place, end + 2, p, p + 1, p + 5, p + 6, p + 8, to, end, end + 1, end + 2, p, person, to, end, place);
    return length > 0 && (size_t)length < size ? (size_t)length : 0;
}

/* Gives the trainer a journey of each of some people to each of some places; returns 0 on success. */
static int add(hmtl_trainer *trainer, const char *split, size_t first_person, size_t last_person, size_t first_place,
               size_t last_place)
{
    static char lines[32 * 1024];
    size_t used = 0, person, place;
    hmtl_dataset *dataset = NULL;
    int status;
    for (person = first_person; person < last_person; person++) {
        for (place = first_place; place < last_place; place++) {
            const size_t length = write_document(lines + used, sizeof lines - used, people[person], places[place]);
            if (length == 0) {
                fputs("train: too many documents\n", stderr);
                return 1;
            }
            used += length;
        }
    }
    if (failed("data", hmtl_dataset_from_jsonl(lines, used, &dataset)))
        return 1;
    status = failed(split, hmtl_trainer_add_dataset(trainer, "ner", split, dataset));
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

static int train(hmtl_trainer *trainer, hmtl_model **model)
{
    return add(trainer, "train", 0, 5, 0, 4) || add(trainer, "dev", 4, 6, 3, 5) ||
           failed("training", hmtl_trainer_train(trainer, on_event, NULL, NULL, NULL)) ||
           /* The run has ended: these are the weights of the best epoch. */
           failed("model", hmtl_trainer_snapshot(trainer, model));
}

int main(int argc, char **argv)
{
    const char *text = "Finn flew to Cairo.";
    hmtl_trainer *trainer = NULL;
    hmtl_model *model = NULL;
    char *json = NULL;
    int status = 1;
    if (argc != 2) {
        fputs("usage: train NEW_MODEL_DIRECTORY\n", stderr);
        return 2;
    }
    if (!failed("config", hmtl_trainer_new(config, &trainer)) && train(trainer, &model) == 0 &&
        !failed(argv[1], hmtl_model_save(model, argv[1], NULL)) &&
        !failed("text", hmtl_model_annotate(model, text, strlen(text), NULL, &json)))
        status = puts(json) == EOF || fflush(stdout) != 0;
    hmtl_string_free(json);
    hmtl_model_free(model);
    hmtl_trainer_free(trainer);
    return status;
}
