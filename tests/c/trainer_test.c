/* Training from C. The arguments are an empty folder, and "short" for a run of a few steps. */
#include "check.h"

#include <stdlib.h>

#define CONFIG                                                                                   \
    "{\"format\":1,\"model\":{\"format\":1,"                                                      \
    "\"embedding\":{\"words\":{\"type\":\"table\",\"size\":12}},"                                 \
    "\"encoders\":{\"low\":{\"type\":\"lstm\",\"inputs\":[\"embedding\"],\"hidden\":12,\"layers\":1}}," \
    "\"tasks\":{\"ner\":{\"type\":\"crf_tagger\",\"on\":\"low\"}}},"                               \
    "\"training\":{\"seed\":3,\"epochs\":%d,\"optimizer\":{\"learning_rate\":0.05},"               \
    "\"tasks\":{\"ner\":{\"batch_size\":2%s}}}}"

static const char *const NAMES[4] = {"Ada", "Bo", "Cy", "Di"};

/* A data set of sentences "NAME left OSLO". */
static hmtl_dataset *sentences(int count)
{
    char *text = malloc((size_t)count * 700), *end = text;
    hmtl_dataset *dataset = NULL;
    hmtl_error *error;
    int i;
    if (text == NULL)
        return NULL;
    for (i = 0; i < count; i++) {
        const char *name = NAMES[i % 4];
        int n = (int)strlen(name);
        end += sprintf(end,
                       "{\"tasks\":[\"ner\"],\"text\":\"%s left Oslo\","
                       "\"sentences\":[{\"start\":0,\"end\":%d,\"first_token\":0,\"last_token\":3}],"
                       "\"tokens\":[{\"start\":0,\"end\":%d},{\"start\":%d,\"end\":%d},"
                       "{\"start\":%d,\"end\":%d}],"
                       "\"mentions\":[{\"start\":0,\"end\":%d,\"first_token\":0,\"last_token\":1,"
                       "\"text\":\"%s\",\"labels\":{\"ner\":{\"label\":\"PER\"}}},"
                       "{\"start\":%d,\"end\":%d,\"first_token\":2,\"last_token\":3,"
                       "\"text\":\"Oslo\",\"labels\":{\"ner\":{\"label\":\"LOC\"}}}]}\n",
                       name, n + 10, n, n + 1, n + 5, n + 6, n + 10, n, name, n + 6, n + 10);
    }
    error = hmtl_dataset_from_jsonl(text, (size_t)(end - text), &dataset);
    if (error != NULL)
        fprintf(stderr, "%s\n", hmtl_error_message(error));
    hmtl_error_free(error);
    free(text);
    return dataset;
}

static hmtl_trainer *trainer(int epochs, const char *more)
{
    char config[1000];
    hmtl_trainer *made = NULL;
    hmtl_dataset *data = sentences(8);
    hmtl_error *error;
    sprintf(config, CONFIG, epochs, more);
    error = hmtl_trainer_new(config, &made);
    if (error == NULL)
        error = hmtl_trainer_add_dataset(made, "ner", "train", data);
    if (error == NULL)
        error = hmtl_trainer_add_dataset(made, "ner", "dev", data);
    if (error != NULL)
        fprintf(stderr, "%s\n", hmtl_error_message(error));
    hmtl_error_free(error);
    hmtl_dataset_free(data); /* the trainer has its own */
    return made;
}

static int mistakes_are_errors(const char *dir)
{
    char config[1000], *json = NULL;
    hmtl_trainer *made = NULL;
    hmtl_model *model = NULL;
    hmtl_dataset *data = sentences(2);
    CHECK(data != NULL);
    REFUSED(hmtl_trainer_new(NULL, &made), "config_json is NULL");
    CHECK(is(hmtl_trainer_new("{", &made), HMTL_CODE_CONFIG, "line 1"));
    CHECK(is(hmtl_trainer_new("{\"format\":1,\"epoch\":2}", &made), HMTL_CODE_CONFIG, "epoch"));
    CHECK(is(hmtl_trainer_resume(dir, NULL, &made), HMTL_CODE_IO, "manifest.json"));
    CHECK(is(hmtl_trainer_resume("/no/such", NULL, &made), HMTL_CODE_IO, "/no/such"));
    REFUSED(hmtl_trainer_resume(dir, "{\"divice\":\"cpu\"}", &made), "divice");
    CHECK(made == NULL);
    sprintf(config, CONFIG, 1, "");
    OK(hmtl_trainer_new(config, &made));
    REFUSED(hmtl_trainer_new(config, NULL), "out_trainer is NULL");
    CHECK(is(hmtl_trainer_step(made, NULL), HMTL_CODE_CONFIG, "task `ner` has no training data"));
    REFUSED(hmtl_trainer_add_dataset(made, "pos", "train", data), "no task `pos`");
    REFUSED(hmtl_trainer_add_dataset(made, "ner", "valid", data), "split `valid`");
    REFUSED(hmtl_trainer_add_dataset(made, "ner", "train", NULL), "dataset is NULL");
    /* Nothing is lost by a mistake. */
    OK(hmtl_trainer_add_dataset(made, "ner", "train", data));
    OK(hmtl_trainer_step(made, NULL));
    REFUSED(hmtl_trainer_add_dataset(made, "ner", "train", data), "has begun");
    REFUSED(hmtl_trainer_snapshot_best(made, "ner", &model), "no epoch was scored for task `ner`");
    REFUSED(hmtl_trainer_evaluate(made, "all", NULL, &json), "split `all`");
    CHECK(is(hmtl_trainer_save(made, "/proc/no/such"), HMTL_CODE_IO, "/proc"));
    OK(hmtl_trainer_evaluate(made, "dev", NULL, &json));
    CHECK(strcmp(json, "{}") == 0);
    hmtl_string_free(json);
    CHECK(model == NULL);
    hmtl_trainer_free(made);
    hmtl_trainer_free(NULL);
    hmtl_dataset_free(data);
    return 0;
}

struct seen {
    int steps, epochs, finished;
    const hmtl_trainer *trainer; /* saved at the end of each epoch */
    const char *dir;
    hmtl_cancel *cancel; /* triggered after this many steps */
    int cancel_after;
};

static void on_event(const char *json, void *user_data)
{
    struct seen *seen = user_data;
    if (strstr(json, "\"event\":\"step\"") != NULL)
        seen->steps++;
    if (strstr(json, "\"event\":\"epoch\"") != NULL) {
        seen->epochs++;
        if (seen->trainer != NULL)
            hmtl_error_free(hmtl_trainer_save(seen->trainer, seen->dir));
    }
    if (strstr(json, "\"event\":\"finished\"") != NULL)
        seen->finished++;
    if (seen->cancel != NULL && seen->steps == seen->cancel_after)
        hmtl_cancel_trigger(seen->cancel);
}

/* Trains, saves from the callback, and takes the weights. */
static int a_run_ends_with_a_model(const char *dir, int epochs)
{
    char checkpoint[1000], path[1100], *json = NULL;
    struct seen seen = {0, 0, 0, NULL, NULL, NULL, 0};
    hmtl_model *model = NULL, *best = NULL;
    hmtl_trainer *run = trainer(epochs, ",\"patience\":50");
    CHECK(run != NULL);
    sprintf(checkpoint, "%s/checkpoint", dir);
    seen.trainer = run;
    seen.dir = checkpoint;
    OK(hmtl_trainer_train(run, on_event, &seen, NULL, &json));
    CHECK(strstr(json, "\"finished\":\"epochs\"") != NULL);
    CHECK(holds(json, "\"best_epoch\":"));
    CHECK(seen.steps == 4 * epochs && seen.epochs == epochs && seen.finished == 1);
    OK(hmtl_trainer_train(run, NULL, NULL, NULL, NULL)); /* it has ended */
    OK(hmtl_trainer_evaluate(run, "train", NULL, &json));
    CHECK(holds(json, "{\"ner\":{\"score\":"));
    OK(hmtl_trainer_snapshot(run, &model));
    OK(hmtl_trainer_snapshot_best(run, NULL, &best));
    hmtl_trainer_free(run);
    OK(hmtl_model_annotate(model, "Ada left Oslo", 13, NULL, &json));
    CHECK(epochs < 5 || strstr(json, "\"label\":\"PER\"") != NULL);
    hmtl_string_free(json);
    sprintf(path, "%s/model", dir);
    REFUSED(hmtl_model_save(best, path, "{\"precision\":\"half\"}"), "half");
    OK(hmtl_model_save(best, path, "{\"precision\":\"float16\"}"));
    CHECK(is(hmtl_model_save(best, dir, NULL), HMTL_CODE_FORMAT, "left alone"));
    hmtl_model_free(best);
    hmtl_model_free(model);
    OK(hmtl_model_load(path, NULL, &model));
    hmtl_model_free(model);
    sprintf(path, "%s/checkpoint/model", dir);
    OK(hmtl_model_load(path, NULL, &model));
    OK(hmtl_model_info(model, &json));
    CHECK(holds(json, "\"recipe\":"));
    hmtl_model_free(model);
    return 0;
}

/* A run that is cancelled, saved, resumed and finished ends where one ends that was not. */
static int a_cancelled_run_goes_on(const char *dir)
{
    char path[1000], *json = NULL, *expected = NULL;
    struct seen seen = {0, 0, 0, NULL, NULL, NULL, 5};
    hmtl_trainer *whole = trainer(3, ""), *part = trainer(3, ""), *resumed = NULL;
    hmtl_dataset *data = sentences(8);
    CHECK(whole != NULL && part != NULL && data != NULL);
    OK(hmtl_trainer_train(whole, NULL, NULL, NULL, NULL));
    OK(hmtl_trainer_info(whole, &expected));
    seen.cancel = hmtl_cancel_new();
    CHECK(is(hmtl_trainer_train(part, on_event, &seen, seen.cancel, &json), HMTL_CODE_CANCELLED,
             "cancelled"));
    hmtl_cancel_free(seen.cancel);
    CHECK(json == NULL && seen.steps == 5);
    OK(hmtl_trainer_step(part, &json));
    CHECK(holds(json, "\"loss\":"));
    sprintf(path, "%s/stopped", dir);
    OK(hmtl_trainer_save(part, path));
    hmtl_trainer_free(part);
    OK(hmtl_trainer_resume(path, NULL, &resumed));
    CHECK(is(hmtl_trainer_step(resumed, NULL), HMTL_CODE_CONFIG, "no training data"));
    OK(hmtl_trainer_add_dataset(resumed, "ner", "train", data));
    OK(hmtl_trainer_add_dataset(resumed, "ner", "dev", data));
    OK(hmtl_trainer_train(resumed, NULL, NULL, NULL, &json));
    CHECK(strcmp(json, expected) == 0);
    hmtl_string_free(json);
    hmtl_string_free(expected);
    hmtl_trainer_free(resumed);
    hmtl_trainer_free(whole);
    hmtl_dataset_free(data);
    return 0;
}

int main(int argc, char **argv)
{
    CHECK(argc >= 2);
    if (mistakes_are_errors(argv[1]) || a_run_ends_with_a_model(argv[1], argc > 2 ? 1 : 12) ||
        a_cancelled_run_goes_on(argv[1]))
        return 1;
    puts("ok");
    return 0;
}
