/* The driver in C; see README.md. */
#include <hmtl.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("driver: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(1);
}

static void *allocated(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);
    if (memory == NULL)
        fail("no memory");
    return memory;
}

/* An argument: bytes that end in a NUL which does not count, or NULL. */
struct value {
    char *data;
    size_t len;
};

struct arguments {
    const char *call;
    struct value *values;
    size_t count, next;
};

static struct value take(struct arguments *a)
{
    if (a->next == a->count)
        fail("%s: too few arguments", a->call);
    return a->values[a->next++];
}

static const char *text(struct arguments *a)
{
    const struct value value = take(a);
    if (value.data != NULL && strlen(value.data) != value.len)
        fail("%s: a NUL where C ends a string", a->call);
    return value.data;
}

static size_t number(const char *digits)
{
    char *end;
    const unsigned long long value = digits == NULL ? 0 : strtoull(digits, &end, 10);
    if (digits == NULL || strspn(digits, "0123456789") == 0 || *end != '\0' || value > (size_t)-1)
        fail("no number: %s", digits == NULL ? "NULL" : digits);
    return (size_t)value;
}

/* Objects by name. */
struct object {
    char *name;
    void *pointer;
    struct object *next;
};

static struct object *cancels, *models, *datasets, *trainers;

static struct object **place(struct object **list, const char *name)
{
    while (*list != NULL && strcmp((*list)->name, name) != 0)
        list = &(*list)->next;
    return list;
}

/* The object of a name; NULL for NULL. */
static void *get(struct object **list, struct arguments *a)
{
    const char *name = text(a);
    struct object *found;
    if (name == NULL)
        return NULL;
    found = *place(list, name);
    if (found == NULL)
        fail("%s: unknown object %s", a->call, name);
    return found->pointer;
}

static void *forgotten(struct object **at)
{
    struct object *found = *at;
    void *pointer = found->pointer;
    *at = found->next;
    free(found->name);
    free(found);
    return pointer;
}

static void *removed(struct object **list, struct arguments *a)
{
    const char *name = text(a);
    struct object **at;
    if (name == NULL)
        fail("%s: an object without a name", a->call);
    at = place(list, name);
    if (*at == NULL)
        fail("%s: unknown object %s", a->call, name);
    return forgotten(at);
}

/* Keeps an object under a name; what stood there before is given back. */
static void *keep(struct object **list, const char *name, void *pointer)
{
    struct object **at = place(list, name);
    void *before = NULL;
    if (*at == NULL) {
        *at = allocated(sizeof **at);
        (*at)->name = strcpy(allocated(strlen(name) + 1), name);
        (*at)->next = NULL;
    } else {
        before = (*at)->pointer;
    }
    (*at)->pointer = pointer;
    return before;
}

static void write_value(const char *value)
{
    if (value == NULL)
        printf("-\n");
    else
        printf("%zu\n%s\n", strlen(value), value);
}

/* Answers with a value, or with the error; frees both. */
static void answer(hmtl_error *error, char *value)
{
    if (error == NULL) {
        printf("ok\n");
        write_value(value);
    } else {
        printf("error %d\n", (int)hmtl_error_code(error));
        write_value(hmtl_error_message(error));
    }
    hmtl_error_free(error);
    hmtl_string_free(value);
}

static void answer_text(const char *value)
{
    printf("ok\n");
    write_value(value);
}

static void answer_number(size_t value)
{
    char digits[32];
    sprintf(digits, "%zu", value);
    answer_text(digits);
}

/* The arguments that are left, as texts. */
static hmtl_str *rest(struct arguments *a, size_t *count)
{
    size_t i;
    hmtl_str *texts = allocated((a->count - a->next) * sizeof *texts);
    *count = a->count - a->next;
    for (i = 0; i < *count; i++) {
        struct value value = take(a);
        texts[i].data = value.data;
        texts[i].len = value.len;
    }
    return texts;
}

struct watch {
    hmtl_cancel *cancel;
    size_t steps, count;
};

static void on_event(const char *event, void *data)
{
    struct watch *watch = data;
    printf("event\n");
    write_value(event);
    if (strncmp(event, "{\"event\":\"step\"", 15) == 0 && ++watch->steps == watch->count)
        hmtl_cancel_trigger(watch->cancel);
}

static int is(const struct arguments *a, const char *call)
{
    return strcmp(a->call, call) == 0;
}

static int process_call(struct arguments *a)
{
    hmtl_error *error = NULL;
    char *json = NULL;
    if (is(a, "version")) {
        answer_text(hmtl_version());
    } else if (is(a, "abi_version")) {
        answer_number(hmtl_abi_version());
    } else if (is(a, "build_info")) {
        error = hmtl_build_info(&json);
        answer(error, json);
    } else if (is(a, "devices")) {
        error = hmtl_devices(&json);
        answer(error, json);
    } else if (is(a, "set_num_threads")) {
        answer(hmtl_set_num_threads((uint32_t)number(text(a))), NULL);
    } else if (is(a, "cancel_new")) {
        hmtl_cancel_free(keep(&cancels, text(a), hmtl_cancel_new()));
        answer_text(NULL);
    } else if (is(a, "cancel_new_child")) {
        const char *name = text(a);
        hmtl_cancel_free(keep(&cancels, name, hmtl_cancel_new_child(get(&cancels, a))));
        answer_text(NULL);
    } else if (is(a, "cancel_trigger")) {
        hmtl_cancel_trigger(get(&cancels, a));
        answer_text(NULL);
    } else if (is(a, "cancel_free")) {
        hmtl_cancel_free(removed(&cancels, a));
        answer_text(NULL);
    } else {
        return 0;
    }
    return 1;
}

static void annotate_batch(const hmtl_model *model, struct arguments *a)
{
    const hmtl_cancel *cancel = get(&cancels, a);
    const char *options = text(a);
    char *json = NULL;
    size_t count;
    hmtl_str *texts = rest(a, &count);
    hmtl_error *error = hmtl_model_annotate_batch(model, texts, count, options, cancel, &json);
    answer(error, json);
    free(texts);
}

static void annotate_tokens(const hmtl_model *model, struct arguments *a)
{
    const char *options = text(a);
    char *ends = take(a).data, *json = NULL, *end;
    size_t count, sentence_count = 0;
    size_t *sentence_ends = allocated((ends == NULL ? 0 : strlen(ends)) * sizeof *sentence_ends);
    hmtl_str *tokens = rest(a, &count);
    hmtl_error *error;
    for (end = ends == NULL ? NULL : strtok(ends, " "); end != NULL; end = strtok(NULL, " "))
        sentence_ends[sentence_count++] = number(end);
    error = hmtl_model_annotate_tokens(model, tokens, count, ends == NULL ? NULL : sentence_ends, sentence_count,
                                       options, &json);
    answer(error, json);
    free(tokens);
    free(sentence_ends);
}

static int model_call(struct arguments *a)
{
    hmtl_error *error;
    hmtl_model *model = NULL;
    char *json = NULL;
    if (is(a, "model_load")) {
        const char *name = text(a), *dir = text(a);
        error = hmtl_model_load(dir, text(a), &model);
        if (error == NULL)
            hmtl_model_free(keep(&models, name, model));
        answer(error, NULL);
        return 1;
    }
    if (is(a, "model_free")) {
        hmtl_model_free(removed(&models, a));
        answer_text(NULL);
        return 1;
    }
    if (strncmp(a->call, "model_", 6) != 0)
        return 0;
    model = get(&models, a);
    if (is(a, "model_info")) {
        error = hmtl_model_info(model, &json);
        answer(error, json);
    } else if (is(a, "model_annotate")) {
        struct value value = take(a);
        error = hmtl_model_annotate(model, value.data, value.len, text(a), &json);
        answer(error, json);
    } else if (is(a, "model_annotate_batch")) {
        annotate_batch(model, a);
    } else if (is(a, "model_annotate_tokens")) {
        annotate_tokens(model, a);
    } else if (is(a, "model_evaluate")) {
        const hmtl_dataset *dataset = get(&datasets, a);
        const char *options = text(a);
        error = hmtl_model_evaluate(model, dataset, options, get(&cancels, a), &json);
        answer(error, json);
    } else if (is(a, "model_save")) {
        const char *dir = text(a);
        answer(hmtl_model_save(model, dir, text(a)), NULL);
    } else {
        return 0;
    }
    return 1;
}

static int dataset_call(struct arguments *a)
{
    hmtl_error *error;
    hmtl_dataset *dataset = NULL;
    char *json = NULL;
    if (is(a, "dataset_open") || is(a, "dataset_from_jsonl")) {
        const char *name = text(a);
        if (is(a, "dataset_open")) {
            const char *format = text(a), *path = text(a);
            error = hmtl_dataset_open(format, path, text(a), &dataset);
        } else {
            struct value value = take(a);
            error = hmtl_dataset_from_jsonl(value.data, value.len, &dataset);
        }
        if (error == NULL)
            hmtl_dataset_free(keep(&datasets, name, dataset));
        answer(error, NULL);
        return 1;
    }
    if (is(a, "dataset_free")) {
        hmtl_dataset_free(removed(&datasets, a));
        answer_text(NULL);
        return 1;
    }
    if (strncmp(a->call, "dataset_", 8) != 0)
        return 0;
    dataset = get(&datasets, a);
    if (is(a, "dataset_info")) {
        error = hmtl_dataset_info(dataset, &json);
        answer(error, json);
    } else if (is(a, "dataset_len")) {
        answer_number(hmtl_dataset_len(dataset));
    } else if (is(a, "dataset_get")) {
        error = hmtl_dataset_get(dataset, number(text(a)), &json);
        answer(error, json);
    } else if (is(a, "dataset_write")) {
        const char *format = text(a);
        answer(hmtl_dataset_write(dataset, format, text(a)), NULL);
    } else {
        return 0;
    }
    return 1;
}

static void train(hmtl_trainer *trainer, struct arguments *a)
{
    struct watch watch;
    const char *count;
    char *json = NULL;
    hmtl_error *error;
    watch.cancel = get(&cancels, a);
    count = text(a);
    watch.count = count == NULL ? 0 : number(count);
    watch.steps = 0;
    error = hmtl_trainer_train(trainer, on_event, &watch, watch.cancel, &json);
    answer(error, json);
}

static void snapshot(hmtl_trainer *trainer, struct arguments *a)
{
    hmtl_model *model = NULL;
    const char *task = is(a, "trainer_snapshot_best") ? text(a) : NULL, *name = text(a);
    hmtl_error *error = is(a, "trainer_snapshot") ? hmtl_trainer_snapshot(trainer, &model)
                                                  : hmtl_trainer_snapshot_best(trainer, task, &model);
    if (error == NULL)
        hmtl_model_free(keep(&models, name, model));
    answer(error, NULL);
}

static int trainer_call(struct arguments *a)
{
    hmtl_error *error;
    hmtl_trainer *trainer = NULL;
    char *json = NULL;
    if (is(a, "trainer_new") || is(a, "trainer_resume")) {
        const char *name = text(a), *first = text(a);
        error = is(a, "trainer_new") ? hmtl_trainer_new(first, &trainer) : hmtl_trainer_resume(first, text(a), &trainer);
        if (error == NULL)
            hmtl_trainer_free(keep(&trainers, name, trainer));
        answer(error, NULL);
        return 1;
    }
    if (is(a, "trainer_free")) {
        hmtl_trainer_free(removed(&trainers, a));
        answer_text(NULL);
        return 1;
    }
    if (strncmp(a->call, "trainer_", 8) != 0)
        return 0;
    trainer = get(&trainers, a);
    if (is(a, "trainer_add_dataset")) {
        const char *task = text(a), *split = text(a);
        answer(hmtl_trainer_add_dataset(trainer, task, split, get(&datasets, a)), NULL);
    } else if (is(a, "trainer_step")) {
        error = hmtl_trainer_step(trainer, &json);
        answer(error, json);
    } else if (is(a, "trainer_train")) {
        train(trainer, a);
    } else if (is(a, "trainer_evaluate")) {
        const char *split = text(a);
        error = hmtl_trainer_evaluate(trainer, split, get(&cancels, a), &json);
        answer(error, json);
    } else if (is(a, "trainer_info")) {
        error = hmtl_trainer_info(trainer, &json);
        answer(error, json);
    } else if (is(a, "trainer_save")) {
        answer(hmtl_trainer_save(trainer, text(a)), NULL);
    } else if (is(a, "trainer_snapshot") || is(a, "trainer_snapshot_best")) {
        snapshot(trainer, a);
    } else {
        return 0;
    }
    return 1;
}

static struct value read_value(void)
{
    struct value value = {NULL, 0};
    char line[32];
    if (fgets(line, sizeof line, stdin) == NULL)
        fail("a request ends early");
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, "-") == 0)
        return value;
    value.len = number(line);
    value.data = allocated(value.len + 1);
    if (fread(value.data, 1, value.len, stdin) != value.len || getchar() != '\n')
        fail("a value ends early");
    value.data[value.len] = '\0';
    return value;
}

int main(void)
{
    char line[128], call[64], count[32], more;
    struct arguments a;
    size_t i;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strchr(line, '\n') == NULL || sscanf(line, "%63s %31s %c", call, count, &more) != 2)
            fail("no request: %s", line);
        a.count = number(count);
        a.call = call;
        a.next = 0;
        a.values = allocated(a.count * sizeof *a.values);
        for (i = 0; i < a.count; i++)
            a.values[i] = read_value();
        if (!process_call(&a) && !model_call(&a) && !dataset_call(&a) && !trainer_call(&a))
            fail("unknown call %s", call);
        if (a.next != a.count)
            fail("%s: too many arguments", call);
        for (i = 0; i < a.count; i++)
            free(a.values[i].data);
        free(a.values);
        fflush(stdout);
    }
    while (trainers != NULL)
        hmtl_trainer_free(forgotten(&trainers));
    while (datasets != NULL)
        hmtl_dataset_free(forgotten(&datasets));
    while (models != NULL)
        hmtl_model_free(forgotten(&models));
    while (cancels != NULL)
        hmtl_cancel_free(forgotten(&cancels));
    return 0;
}
