/* What the C API promises, from C. The argument is a model directory, and HMTL_MODEL names it. */
#include "check.h"

static hmtl_str str(const char *text)
{
    hmtl_str s;
    s.data = text;
    s.len = strlen(text);
    return s;
}

static int versions_are_told(void)
{
    char *json = NULL;
    CHECK(hmtl_abi_version() == HMTL_ABI_VERSION);
    CHECK(strchr(hmtl_version(), '.') != NULL);
    OK(hmtl_build_info(&json));
    CHECK(strstr(json, "\"libtorch\":\"2.11") != NULL);
    CHECK(holds(json, "\"conll2003\""));
    REFUSED(hmtl_build_info(NULL), "out_json is NULL");
    return 0;
}

static int null_arguments_are_errors(const hmtl_model *model)
{
    char *json = NULL;
    hmtl_model *loaded = NULL;
    hmtl_dataset *dataset = NULL;
    REFUSED(hmtl_model_info(NULL, &json), "model is NULL");
    REFUSED(hmtl_model_info(model, NULL), "out_json is NULL");
    REFUSED(hmtl_model_annotate(NULL, "x", 1, NULL, &json), "model is NULL");
    REFUSED(hmtl_model_annotate(model, NULL, 1, NULL, &json), "text is NULL");
    REFUSED(hmtl_model_annotate(model, "x", 1, NULL, NULL), "out_json is NULL");
    REFUSED(hmtl_model_annotate(model, "x", (size_t)-1, NULL, &json), "length of text");
    REFUSED(hmtl_model_annotate_batch(model, NULL, 2, NULL, NULL, &json), "texts is NULL");
    REFUSED(hmtl_model_annotate_tokens(model, NULL, 2, NULL, 0, NULL, &json), "tokens is NULL");
    REFUSED(hmtl_model_evaluate(model, NULL, NULL, NULL, &json), "dataset is NULL");
    REFUSED(hmtl_model_load("model", NULL, NULL), "out_model is NULL");
    REFUSED(hmtl_dataset_open(NULL, "x", NULL, &dataset), "format is NULL");
    REFUSED(hmtl_dataset_open("jsonl", NULL, NULL, &dataset), "path is NULL");
    REFUSED(hmtl_dataset_info(NULL, &json), "dataset is NULL");
    REFUSED(hmtl_dataset_get(NULL, 0, &json), "dataset is NULL");
    REFUSED(hmtl_devices(NULL), "out_json is NULL");
    CHECK(hmtl_dataset_len(NULL) == 0);
    CHECK(hmtl_error_code(NULL) == HMTL_CODE_OK);
    CHECK(strcmp(hmtl_error_message(NULL), "") == 0);
    CHECK(json == NULL && loaded == NULL && dataset == NULL);
    return 0;
}

static int free_of_null_does_nothing(void)
{
    hmtl_error_free(NULL);
    hmtl_string_free(NULL);
    hmtl_model_free(NULL);
    hmtl_dataset_free(NULL);
    hmtl_cancel_free(NULL);
    hmtl_cancel_trigger(NULL);
    return 0;
}

static int loading_tells_what_is_wrong(const char *dir)
{
    hmtl_model *model = NULL;
    CHECK(is(hmtl_model_load("/no/such/model", NULL, &model), HMTL_CODE_IO, "/no/such/model"));
    REFUSED(hmtl_model_load(dir, "{\"devcie\": \"cpu\"}", &model), "devcie");
    REFUSED(hmtl_model_load(dir, "{\"device\": \"toaster\"}", &model), "toaster");
    REFUSED(hmtl_model_load(dir, "{\"tasks\": [\"pos\"]}", &model), "pos");
    REFUSED(hmtl_model_load(dir, "not json", &model), "options_json");
    REFUSED(hmtl_model_load(dir, "[\"cpu\", null]", &model), "options_json");
    REFUSED(hmtl_model_load(dir, "{\"device\": ", &model), "options_json");
    REFUSED(hmtl_model_load("\xff", NULL, &model), "dir is not valid UTF-8");
    CHECK(is(hmtl_model_load(dir, "{\"device\": \"cuda:99\"}", &model), HMTL_CODE_DEVICE, "cuda:99"));
    CHECK(model == NULL);
    OK(hmtl_model_load(dir, "{\"device\": \"cpu\", \"tasks\": [\"ner\"]}", &model));
    hmtl_model_free(model);
    OK(hmtl_model_load(NULL, NULL, &model));
    hmtl_model_free(model);
    return 0;
}

static int texts_are_annotated(const hmtl_model *model)
{
    char *json = NULL;
    const char *text = "Maria Keller founded Nordlicht.";
    OK(hmtl_model_info(model, &json));
    CHECK(holds(json, "\"founder_of\""));
    OK(hmtl_model_annotate(model, text, strlen(text), NULL, &json));
    CHECK(strncmp(json, "{\"format\":1,", 12) == 0);
    CHECK(holds(json, "Maria Keller founded Nordlicht."));
    OK(hmtl_model_annotate(model, text, strlen(text),
                           "{\"tasks\":[\"ner\"],\"min_score\":0.5,\"offsets\":\"utf16\"}", &json));
    CHECK(holds(json, "\"offsets\":\"utf16\""));
    OK(hmtl_model_annotate(model, NULL, 0, NULL, &json));
    CHECK(holds(json, "\"text\":\"\""));
    OK(hmtl_model_annotate(model, "a\0b", 3, NULL, &json));
    CHECK(holds(json, "\"text\":\"a\\u0000b\""));
    json = NULL;
    REFUSED(hmtl_model_annotate(model, "ab\xff", 3, NULL, &json), "UTF-8 at byte 2");
    REFUSED(hmtl_model_annotate(model, text, 5, "{\"task\":[]}", &json), "task");
    REFUSED(hmtl_model_annotate(model, text, 5, "{\"tasks\":[\"pos\"]}", &json), "pos");
    REFUSED(hmtl_model_annotate(model, text, 5, "{\"offsets\":\"line\"}", &json), "line");
    REFUSED(hmtl_model_annotate(model, text, 5, "{\"min_score\":50}", &json), "min_score");
    REFUSED(hmtl_model_annotate(model, text, 5, "{\"a\\nb\":1}", &json), "a b");
    CHECK(json == NULL);
    return 0;
}

static int batches_keep_their_order(const hmtl_model *model)
{
    char *json = NULL;
    hmtl_str texts[3];
    hmtl_cancel *cancel = hmtl_cancel_new();
    texts[0] = str("first");
    texts[1].data = NULL;
    texts[1].len = 0;
    texts[2] = str("third");
    OK(hmtl_model_annotate_batch(model, texts, 3, NULL, cancel, &json));
    CHECK(json[0] == '[' && strstr(json, "first") < strstr(json, "third"));
    hmtl_string_free(json);
    OK(hmtl_model_annotate_batch(model, NULL, 0, NULL, NULL, &json));
    CHECK(strcmp(json, "[]") == 0);
    hmtl_string_free(json);
    json = NULL;
    REFUSED(hmtl_model_annotate_batch(model, NULL, 0, "{\"tasks\":[\"pos\"]}", NULL, &json), "pos");
    texts[1] = str("\xc3");
    REFUSED(hmtl_model_annotate_batch(model, texts, 3, NULL, NULL, &json), "texts[1] is not");
    texts[1] = str("second");
    hmtl_cancel_trigger(cancel);
    CHECK(is(hmtl_model_annotate_batch(model, texts, 3, NULL, cancel, &json), HMTL_CODE_CANCELLED,
             "cancelled"));
    hmtl_cancel_free(cancel);
    CHECK(json == NULL);
    return 0;
}

static int tokens_are_annotated(const hmtl_model *model)
{
    char *json = NULL;
    size_t ends[2] = {2, 3}, wrong[2] = {2, 1}, few[1] = {2};
    hmtl_str tokens[3];
    tokens[0] = str("Maria");
    tokens[1] = str("left");
    tokens[2] = str("Oslo");
    OK(hmtl_model_annotate_tokens(model, tokens, 3, NULL, 0, NULL, &json));
    CHECK(holds(json, "\"text\":\"Maria left Oslo\""));
    OK(hmtl_model_annotate_tokens(model, tokens, 3, ends, 2, NULL, &json));
    CHECK(holds(json, "\"text\":\"Maria left\\nOslo\""));
    OK(hmtl_model_annotate_tokens(model, NULL, 0, NULL, 0, NULL, &json));
    CHECK(holds(json, "\"text\":\"\""));
    json = NULL;
    REFUSED(hmtl_model_annotate_tokens(model, tokens, 3, wrong, 2, NULL, &json), "sentence_ends[1]");
    REFUSED(hmtl_model_annotate_tokens(model, tokens, 3, few, 1, NULL, &json), "2 of 3 tokens");
    tokens[2].len = 0;
    REFUSED(hmtl_model_annotate_tokens(model, tokens, 3, ends, 2, NULL, &json), "tokens[2]");
    CHECK(json == NULL);
    return 0;
}

static int data_sets_are_read_and_scored(const hmtl_model *model)
{
    const char *line =
        "{\"tasks\":[\"ner\"],\"text\":\"Ada left\","
        "\"sentences\":[{\"start\":0,\"end\":8,\"first_token\":0,\"last_token\":2}],"
        "\"tokens\":[{\"start\":0,\"end\":3},{\"start\":4,\"end\":8}],"
        "\"mentions\":[{\"start\":0,\"end\":3,\"first_token\":0,\"last_token\":1,\"text\":\"Ada\","
        "\"labels\":{\"ner\":{\"label\":\"PER\"}}}]}\n";
    char *json = NULL;
    hmtl_dataset *dataset = NULL;
    CHECK(is(hmtl_dataset_from_jsonl("{}\n", 3, &dataset), HMTL_CODE_DATA, "1:"));
    REFUSED(hmtl_dataset_open("conll1999", "x", NULL, &dataset), "conll1999");
    CHECK(is(hmtl_dataset_open("jsonl", "/no/such/file", NULL, &dataset), HMTL_CODE_IO, "/no/such/file"));
    CHECK(dataset == NULL);
    OK(hmtl_dataset_from_jsonl(line, strlen(line), &dataset));
    CHECK(hmtl_dataset_len(dataset) == 1);
    OK(hmtl_dataset_info(dataset, &json));
    CHECK(holds(json, "\"PER\":1"));
    OK(hmtl_dataset_get(dataset, 0, &json));
    CHECK(holds(json, "\"text\":\"Ada left\""));
    OK(hmtl_model_evaluate(model, dataset, NULL, NULL, &json));
    CHECK(strncmp(json, "{\"ner\":{", 8) == 0);
    CHECK(holds(json, "\"score\":"));
    json = NULL;
    REFUSED(hmtl_dataset_get(dataset, 1, &json), "index 1");
    REFUSED(hmtl_model_evaluate(model, dataset, "{\"tasks\":[\"coref\"]}", NULL, &json), "no gold");
    CHECK(json == NULL);
    hmtl_dataset_free(dataset);
    return 0;
}

static void count(int32_t level, const char *message, void *user_data)
{
    if (level >= 1 && level <= 5 && message != NULL)
        ++*(int *)user_data;
}

static int log_lines_arrive_while_asked_for(const char *dir)
{
    int lines = 0, before;
    hmtl_model *model = NULL;
    hmtl_set_log(5, count, &lines);
    OK(hmtl_model_load(dir, NULL, &model));
    hmtl_model_free(model);
    hmtl_set_log(5, NULL, NULL);
    CHECK(lines > 0);
    before = lines;
    OK(hmtl_model_load(dir, NULL, &model));
    hmtl_model_free(model);
    CHECK(lines == before);
    return 0;
}

static int threads_and_devices(void)
{
    char *json = NULL;
    OK(hmtl_devices(&json));
    CHECK(holds(json, "{\"name\":\"cpu\"}"));
    REFUSED(hmtl_set_num_threads(0), "threads");
    OK(hmtl_set_num_threads(1));
    return 0;
}

int main(int argc, char **argv)
{
    hmtl_model *model = NULL;
    CHECK(argc == 2);
    OK(hmtl_model_load(argv[1], NULL, &model));
    if (versions_are_told() || null_arguments_are_errors(model) || free_of_null_does_nothing() ||
        loading_tells_what_is_wrong(argv[1]) || texts_are_annotated(model) ||
        batches_keep_their_order(model) || tokens_are_annotated(model) ||
        data_sets_are_read_and_scored(model) || log_lines_arrive_while_asked_for(argv[1]) ||
        threads_and_devices())
        return 1;
    hmtl_model_free(model);
    puts("ok");
    return 0;
}
