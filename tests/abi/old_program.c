/* Built with the first header of this ABI version, run with the present library: uses every part. */
#include <hmtl.h>
#include <stdio.h>
#include <string.h>

static int failures;

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "old_program: %s\n", what);
        failures++;
    }
}

/* Frees the error of a call that should have gone well. */
static int ok(hmtl_error *error, const char *what)
{
    if (error == NULL)
        return 1;
    fprintf(stderr, "old_program: %s: %s\n", what, hmtl_error_message(error));
    failures++;
    hmtl_error_free(error);
    return 0;
}

/* A call that must fail with a code. */
static void fails(hmtl_error *error, hmtl_code code, const char *what)
{
    check(error != NULL && hmtl_error_code(error) == code, what);
    check(error != NULL && strlen(hmtl_error_message(error)) > 0, "the message of an error");
    hmtl_error_free(error);
}

/* Frees a JSON result, which must have a field. */
static void has(char *json, const char *field, const char *what)
{
    check(json != NULL && strstr(json, field) != NULL, what);
    hmtl_string_free(json);
}

static void on_log(int32_t level, const char *message, void *user_data)
{
    check(level >= 1 && level <= 5 && message != NULL && user_data == &failures, "a log line");
}

static void on_event(const char *event_json, void *user_data)
{
    *(int *)user_data += strstr(event_json, "\"event\"") != NULL;
}

static void annotate(const char *dir)
{
    const char *text = "Ada met Bo. She left.";
    const hmtl_str texts[] = {{text, 21}, {"", 0}, {NULL, 0}};
    const hmtl_str tokens[] = {{"Ada", 3}, {"left", 4}, {".", 1}, {"Bo", 2}};
    const size_t ends[] = {3, 4};
    hmtl_model *model = NULL;
    hmtl_cancel *cancel = hmtl_cancel_new();
    char *json = NULL;

    if (!ok(hmtl_model_load(dir, "{\"device\":\"cpu\"}", &model), "hmtl_model_load"))
        return;
    if (ok(hmtl_model_info(model, &json), "hmtl_model_info"))
        has(json, "\"tasks\"", "tasks of hmtl_model_info");
    if (ok(hmtl_model_annotate(model, text, strlen(text), "{\"offsets\":\"char\",\"min_score\":0.5,\"singletons\":true}", &json),
           "hmtl_model_annotate"))
        has(json, "\"mentions\":", "mentions of hmtl_model_annotate");
    if (ok(hmtl_model_annotate_batch(model, texts, 3, "{\"tasks\":[\"ner\"]}", cancel, &json), "hmtl_model_annotate_batch"))
        has(json, "\"sentences\":", "sentences of hmtl_model_annotate_batch");
    if (ok(hmtl_model_annotate_tokens(model, tokens, 4, ends, 2, NULL, &json), "hmtl_model_annotate_tokens"))
        has(json, "Ada left .", "the text of hmtl_model_annotate_tokens");
    fails(hmtl_model_annotate(model, text, strlen(text), "{\"unknown\":1}", &json), HMTL_CODE_INVALID_ARGUMENT, "an unknown option");
    hmtl_cancel_trigger(cancel);
    fails(hmtl_model_annotate_batch(model, texts, 3, NULL, cancel, &json), HMTL_CODE_CANCELLED, "a cancelled call");
    hmtl_cancel_free(cancel);
    hmtl_model_free(model);
}

static const char *line = "{\"format\":1,\"offsets\":\"byte\",\"tasks\":[\"ner\"],\"text\":\"Ada left.\","
    "\"sentences\":[{\"start\":0,\"end\":9,\"first_token\":0,\"last_token\":3}],"
    "\"tokens\":[{\"start\":0,\"end\":3},{\"start\":4,\"end\":8},{\"start\":8,\"end\":9}],"
    "\"mentions\":[{\"start\":0,\"end\":3,\"first_token\":0,\"last_token\":1,\"text\":\"Ada\","
    "\"labels\":{\"ner\":{\"label\":\"PER\"}}}],\"relations\":[],\"clusters\":[]}\n";

static const char *config = "{\"format\":1,\"model\":{\"format\":1,"
    "\"embedding\":{\"words\":{\"type\":\"table\",\"size\":4}},"
    "\"encoders\":{\"low\":{\"type\":\"lstm\",\"inputs\":[\"embedding\"],\"hidden\":4,\"layers\":1}},"
    "\"tasks\":{\"ner\":{\"type\":\"crf_tagger\",\"on\":\"low\"}}},"
    "\"training\":{\"seed\":1,\"epochs\":1,\"optimizer\":{\"learning_rate\":0.002},"
    "\"tasks\":{\"ner\":{\"batch_size\":1,\"patience\":1}}}}";

/* `nowhere` is a path that nothing can be read from or written to. */
static void train(const char *nowhere)
{
    hmtl_dataset *data = NULL;
    hmtl_trainer *trainer = NULL;
    hmtl_model *model = NULL;
    char *json = NULL;
    int events = 0;

    fails(hmtl_dataset_open("conll2003", nowhere, NULL, &data), HMTL_CODE_IO, "a file that is not there");
    if (!ok(hmtl_dataset_from_jsonl(line, strlen(line), &data), "hmtl_dataset_from_jsonl"))
        return;
    check(hmtl_dataset_len(data) == 1, "hmtl_dataset_len");
    if (ok(hmtl_dataset_info(data, &json), "hmtl_dataset_info"))
        has(json, "\"documents\":1", "documents of hmtl_dataset_info");
    if (ok(hmtl_dataset_get(data, 0, &json), "hmtl_dataset_get"))
        has(json, "\"text\":\"Ada left.\"", "the text of hmtl_dataset_get");
    if (ok(hmtl_trainer_new(config, &trainer), "hmtl_trainer_new")) {
        ok(hmtl_trainer_add_dataset(trainer, "ner", "train", data), "hmtl_trainer_add_dataset");
        ok(hmtl_trainer_add_dataset(trainer, "ner", "dev", data), "hmtl_trainer_add_dataset");
        if (ok(hmtl_trainer_train(trainer, on_event, &events, NULL, &json), "hmtl_trainer_train"))
            has(json, "\"finished\"", "hmtl_trainer_train");
        check(events > 0, "training events");
        if (ok(hmtl_trainer_info(trainer, &json), "hmtl_trainer_info"))
            has(json, "\"step\":1", "steps of hmtl_trainer_info");
        if (ok(hmtl_trainer_evaluate(trainer, "dev", NULL, &json), "hmtl_trainer_evaluate"))
            has(json, "\"ner\"", "hmtl_trainer_evaluate");
        if (ok(hmtl_trainer_snapshot(trainer, &model), "hmtl_trainer_snapshot")) {
            if (ok(hmtl_model_evaluate(model, data, NULL, NULL, &json), "hmtl_model_evaluate"))
                has(json, "\"score\"", "hmtl_model_evaluate");
            hmtl_model_free(model);
        }
        if (ok(hmtl_trainer_snapshot_best(trainer, "ner", &model), "hmtl_trainer_snapshot_best")) {
            fails(hmtl_model_save(model, nowhere, NULL), HMTL_CODE_IO, "a folder that cannot be made");
            hmtl_model_free(model);
        }
        fails(hmtl_trainer_save(trainer, nowhere), HMTL_CODE_IO, "a folder that cannot be made");
        hmtl_trainer_free(trainer);
    }
    fails(hmtl_trainer_resume(nowhere, NULL, &trainer), HMTL_CODE_IO, "a checkpoint that is not there");
    if (ok(hmtl_trainer_new(config, &trainer), "hmtl_trainer_new")) {
        ok(hmtl_trainer_add_dataset(trainer, "ner", "train", data), "hmtl_trainer_add_dataset");
        ok(hmtl_trainer_add_dataset(trainer, "ner", "dev", data), "hmtl_trainer_add_dataset");
        if (ok(hmtl_trainer_step(trainer, &json), "hmtl_trainer_step"))
            has(json, "\"loss\"", "the loss of hmtl_trainer_step");
        hmtl_trainer_free(trainer);
    }
    fails(hmtl_dataset_write(data, "jsonl", nowhere), HMTL_CODE_IO, "a file that cannot be made");
    hmtl_dataset_free(data);
}

int main(int argc, char **argv)
{
    char *json = NULL;

    check(argc == 2, "old_program MODEL");
    check(hmtl_abi_version() == HMTL_ABI_VERSION, "hmtl_abi_version");
    check(strchr(hmtl_version(), '.') != NULL, "hmtl_version");
    hmtl_set_log(3, on_log, &failures);
    ok(hmtl_set_num_threads(1), "hmtl_set_num_threads");
    if (ok(hmtl_build_info(&json), "hmtl_build_info"))
        has(json, "\"document_format\":1", "hmtl_build_info");
    if (ok(hmtl_devices(&json), "hmtl_devices"))
        has(json, "{\"name\":\"cpu\"}", "hmtl_devices");
    check(hmtl_error_code(NULL) == HMTL_CODE_OK, "HMTL_CODE_OK");
    hmtl_error_free(NULL);
    if (argc == 2) {
        char nowhere[4096];
        snprintf(nowhere, sizeof nowhere, "%s/card.json/below/a/file", argv[1]);
        annotate(argv[1]);
        train(nowhere);
    }
    hmtl_set_log(0, NULL, NULL);
    return failures != 0;
}
