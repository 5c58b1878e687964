/**
 * @file hmtl.h
 * Hierarchical multi-task learning for information extraction: C API.
 *
 * Ownership.  What a function writes through an `out_` parameter belongs to the caller,
 *   who frees it once with the `_free` function of its type.  `_free(NULL)` does nothing.
 *   A returned `const` pointer is borrowed and lives as long as the object it came from.
 * Errors.     A fallible function returns NULL on success or an owned `hmtl_error`, to be
 *   freed with hmtl_error_free.  On failure no `out_` parameter is written.  The library
 *   prints nothing, and no exception or panic leaves it.
 * Threads.    Calls that take an object as `const` may overlap; a call that takes it
 *   non-`const` may overlap with no other on that object.  A call waits while a fixed set
 *   of threads, started at the first need, does its work: share one model, do not load one
 *   a thread.  Fork before the first call, or not at all.
 * Strings.    UTF-8.  Text takes a length and may hold NUL; paths, names and JSON end in NUL.
 *   An empty text may be NULL.
 * Options.    `options_json` is a JSON object or NULL, meaning `{}`.  An unknown key is an
 *   error.
 * Results.    `out_json` is one line of JSON, freed with hmtl_string_free.  Fields are added in
 *   later versions, never changed: ignore those that you do not know.
 * Callbacks.  Log lines may come from any thread, training events come on the calling thread.
 *   A callback must not throw, nor jump out of itself.
 */

#ifndef HMTL_H
#define HMTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define HMTL_MUST_USE __attribute__((warn_unused_result))
#else
#define HMTL_MUST_USE
#endif

/**
 * ABI version of this header; grows only when an existing symbol changes.
 */
#define HMTL_ABI_VERSION 0

/**
 * What went wrong. New codes may be added: treat an unknown one as HMTL_CODE_INTERNAL.
 */
typedef enum {
    /**
     * No error.
     */
    HMTL_CODE_OK = 0,
    /**
     * A NULL, out-of-range or malformed argument, including bad option JSON.
     */
    HMTL_CODE_INVALID_ARGUMENT = 1,
    /**
     * A file could not be read or written.
     */
    HMTL_CODE_IO = 2,
    /**
     * A model or checkpoint is damaged or of an unknown format version.
     */
    HMTL_CODE_FORMAT = 3,
    /**
     * The configuration names something unknown or contradicts itself.
     */
    HMTL_CODE_CONFIG = 4,
    /**
     * The data set does not follow its declared format.
     */
    HMTL_CODE_DATA = 5,
    /**
     * The device is missing or out of memory.
     */
    HMTL_CODE_DEVICE = 6,
    /**
     * The call was cancelled.
     */
    HMTL_CODE_CANCELLED = 7,
    /**
     * This build or process cannot do it, such as after a fork.
     */
    HMTL_CODE_UNSUPPORTED = 8,
    /**
     * A bug in the library; please report it.
     */
    HMTL_CODE_INTERNAL = 9,
} hmtl_code;

/**
 * Asks running calls to stop. May be triggered from any thread and from a signal handler, and stays
 * triggered.
 */
typedef struct hmtl_cancel hmtl_cancel;

/**
 * A read-only collection of annotated documents.
 */
typedef struct hmtl_dataset hmtl_dataset;

/**
 * An error: a code and a message.
 */
typedef struct hmtl_error hmtl_error;

/**
 * A trained model, ready to annotate. Immutable, so threads may share it.
 */
typedef struct hmtl_model hmtl_model;

/**
 * Trains a model: its data, weights, optimizers, schedules and random state.
 */
typedef struct hmtl_trainer hmtl_trainer;

/**
 * Receives one log line. Levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
 */
typedef void (*hmtl_log_fn)(int32_t level, const char *message, void *user_data);

/**
 * A borrowed UTF-8 string that need not end in NUL. `data` may be NULL when `len` is 0.
 */
typedef struct {
    /**
     * The bytes.
     */
    const char *data;
    /**
     * How many bytes there are.
     */
    size_t len;
} hmtl_str;

/**
 * Receives a training event as JSON, on the thread that called hmtl_trainer_train. Until it
 * returns, it and other threads may call functions that take the trainer as `const`, such as
 * hmtl_trainer_save.
 */
typedef void (*hmtl_event_fn)(const char *event_json, void *user_data);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns the library version, "MAJOR.MINOR.PATCH". Valid for the life of the process.
 */
const char *hmtl_version(void);

/**
 * Returns the ABI version of the loaded library; compare it with HMTL_ABI_VERSION.
 */
uint32_t hmtl_abi_version(void);

/**
 * Describes the build as JSON: `{"hmtl":"0.1.0","abi":0,"libtorch":"2.11.0","cuda":null,
 * "document_format":1,"model_format":1,"formats":["conll2003",...],"heads":["crf_tagger",...],
 * "encoders":["lstm","mix"]}`.
 *
 * `cuda` is the version that was found at run time.
 */
HMTL_MUST_USE
hmtl_error *hmtl_build_info(char **out_json);

/**
 * Returns the code of `error`; HMTL_CODE_OK when `error` is NULL.
 */
hmtl_code hmtl_error_code(const hmtl_error *error);

/**
 * Returns the message of `error`, one line of English, borrowed from `error`; "" when it is NULL.
 */
const char *hmtl_error_message(const hmtl_error *error);

/**
 * Frees `error`.
 */
void hmtl_error_free(hmtl_error *error);

/**
 * Frees a string that the library returned through an `out_` parameter.
 */
void hmtl_string_free(char *string);

/**
 * Sends log lines up to `max_level` (1 error to 5 trace) to `callback`, from any thread; NULL
 * turns logging off. Process-wide; nothing is logged until it is called. When it returns, the
 * former callback runs no more. May be called from any thread, but not by a callback.
 */
void hmtl_set_log(int32_t max_level,
                  hmtl_log_fn callback,
                  void *user_data);

/**
 * Lists the devices as JSON: `[{"name":"cpu"},{"name":"cuda:0","model":"...","memory":...}]`,
 * memory in bytes. CUDA devices are there when the process finds an NVIDIA driver and the CUDA
 * part of LibTorch: beside its CPU part, or in the folder that the environment's HMTL_CUDA names
 * ("off" turns CUDA off). That is decided once, at the first call that needs LibTorch.
 */
HMTL_MUST_USE
hmtl_error *hmtl_devices(char **out_json);

/**
 * Sets the number of CPU threads that one operation may use: 1 to 1024, 1 at first. Process-wide. The
 * library computes on a fixed set of worker threads, as many as the environment's HMTL_WORKERS
 * says, or else as there are processors, at most 8; each may grow a pool of `count` threads.
 */
HMTL_MUST_USE
hmtl_error *hmtl_set_num_threads(uint32_t count);

/**
 * Creates a cancellation token.
 */
hmtl_cancel *hmtl_cancel_new(void);

/**
 * Creates a token that is triggered when `parent` is, and can be triggered alone. `parent` may be
 * freed, and may be NULL.
 */
hmtl_cancel *hmtl_cancel_new_child(const hmtl_cancel *parent);

/**
 * Triggers the token: calls that hold it return HMTL_CODE_CANCELLED at the next step.
 */
void hmtl_cancel_trigger(const hmtl_cancel *cancel);

/**
 * Frees the token. A call that holds it keeps its own reference.
 */
void hmtl_cancel_free(hmtl_cancel *cancel);

/**
 * Loads the model in directory `dir`; NULL is the model that ships with the library: the
 * directory that the environment's HMTL_MODEL names, or else `share/hmtl/models/default` of the
 * installation. Options: `device` ("cpu", "cuda", "cuda:1"), `tasks` (only these are loaded, one at
 * least), `plain` (true: work through LibTorch alone; the library's own layers for CPUs with AVX2 are
 * several times faster and give the same but for rounding), `compute` ("float32", or "bf16": embedders,
 * and encoders where that is on a CPU, compute in half the memory, with scores that differ in the
 * third decimal): `{"device":"cpu","tasks":["ner","coref"]}`.
 */
HMTL_MUST_USE
hmtl_error *hmtl_model_load(const char *dir,
                            const char *options_json,
                            hmtl_model **out_model);

/**
 * Describes the model as JSON: `{"device":"cpu","tasks":{"ner":{"kind":"spans","labels":["PER",
 * ...],...}},"encoders":{...},"vocabulary":{"words":20000,"chars":90},"parameters":4000000,
 * "card":{"name":"...","data":[...],"scores":{...},"limits":[...]}}`. Kinds are spans, relations
 * and coreference.
 */
HMTL_MUST_USE
hmtl_error *hmtl_model_info(const hmtl_model *model,
                            char **out_json);

/**
 * Annotates a text of any length. Options: `tasks` (what to look for; absent means all, [] nothing),
 * `min_score` (0 to 1: leaves out less probable labels and relations), `offsets` ("byte", "char"
 * or "utf16": the unit of every start and end), `singletons` (true also reports coreference
 * clusters of one mention), `independent` (true: no task has a say in what another finds, unless that
 * reads its mentions or clusters; what is one thing need not agree, and fewer tasks are run):
 * `{"tasks":["ner"],"min_score":0.5,"offsets":"char"}`.
 *
 * `out_json` is a document. Spans are half-open; `first_token` and `last_token` count tokens,
 * relations and clusters name mentions by their index:
 *
 * ```json
 * {"format":1,"offsets":"byte","tasks":["ner","relation","coref"],
 *  "text":"Ada met Bo. She left.",
 *  "sentences":[{"start":0,"end":11,"first_token":0,"last_token":4},...],
 *  "tokens":[{"start":0,"end":3},...],
 *  "mentions":[{"start":0,"end":3,"first_token":0,"last_token":1,"text":"Ada",
 *               "labels":{"ner":{"label":"PER","score":0.99}},"cluster":0},...],
 *  "relations":[{"task":"relation","label":"knows","head":0,"tail":1,"score":0.8}],
 *  "clusters":[{"mentions":[0,2]}]}
 * ```
 */
HMTL_MUST_USE
hmtl_error *hmtl_model_annotate(const hmtl_model *model,
                                const char *text,
                                size_t text_len,
                                const char *options_json,
                                char **out_json);

/**
 * Annotates `count` texts, on all workers at once; `out_json` is an array of documents in their
 * order. But for the rounding of scores, the result for a text does not depend on the others.
 * Options as hmtl_model_annotate.
 * `cancel` may be NULL.
 */
HMTL_MUST_USE
hmtl_error *hmtl_model_annotate_batch(const hmtl_model *model,
                                      const hmtl_str *texts,
                                      size_t count,
                                      const char *options_json,
                                      const hmtl_cancel *cancel,
                                      char **out_json);

/**
 * Annotates a tokenized document. A token must not be empty; a sentence may. `sentence_ends` holds,
 * for each sentence, the index after its last token; NULL and 0 mean one sentence. Options as hmtl_model_annotate. The text of the
 * document has a space between tokens and a line for each sentence.
 */
HMTL_MUST_USE
hmtl_error *hmtl_model_annotate_tokens(const hmtl_model *model,
                                       const hmtl_str *tokens,
                                       size_t token_count,
                                       const size_t *sentence_ends,
                                       size_t sentence_count,
                                       const char *options_json,
                                       char **out_json);

/**
 * Scores the model on a data set. Options: `tasks` (absent means all that the data has gold
 * for), `all_labels` (true counts gold labels that the model does not know as misses, and
 * predicted labels that the data does not have as wrong), `singletons` ("auto", "keep" or "drop"
 * coreference clusters of one mention), `independent` (as of hmtl_model_annotate):
 * `{"tasks":["ner"],"all_labels":true}`. `cancel` may be NULL. `out_json` holds the metrics of
 * each task: `{"ner":{"task":"ner","score":0.81,
 * "documents":50,"layer":"ner","unknown_labels":{},"absent_labels":[],"details":{...}}}`, where `score` is the
 * strict micro F1, or the average of MUC, B3 and CEAFe for coreference.
 */
HMTL_MUST_USE
hmtl_error *hmtl_model_evaluate(const hmtl_model *model,
                                const hmtl_dataset *dataset,
                                const char *options_json,
                                const hmtl_cancel *cancel,
                                char **out_json);

/**
 * Writes the model as a directory that hmtl_model_load takes, whole or not at all; it replaces an
 * older model there and nothing else. Options: `precision` ("float32", "float16", or "compact":
 * words in one byte a number).
 */
HMTL_MUST_USE
hmtl_error *hmtl_model_save(const hmtl_model *model,
                            const char *dir,
                            const char *options_json);

/**
 * Frees the model. No call that uses it may be running.
 */
void hmtl_model_free(hmtl_model *model);

/**
 * Opens the data set at `path`, a file or a folder, with the reader named `format`: conll2003,
 * conll2012, docred, dygie, conll04, gum, litbank, brat, knowledgenet or jsonl. Options:
 * `skip_invalid` (true leaves out what does not follow the format, and counts it), `tag_column`
 * (conll2003: the column of the tag, from 0), `names` and `speakers` (gum: true derives names from
 * proper nouns, writes speakers before their turns): `{"skip_invalid":true}`.
 */
HMTL_MUST_USE
hmtl_error *hmtl_dataset_open(const char *format,
                              const char *path,
                              const char *options_json,
                              hmtl_dataset **out_dataset);

/**
 * Reads a data set from JSON Lines in memory, one document a line, as annotation returns them. An
 * unknown field is an error; `text`, `sentences` and `tokens` must be there.
 */
HMTL_MUST_USE
hmtl_error *hmtl_dataset_from_jsonl(const char *jsonl,
                                    size_t jsonl_len,
                                    hmtl_dataset **out_dataset);

/**
 * Describes the data set as JSON: `{"documents":50,"sentences":400,"tokens":9000,
 * "mentions":1200,"clusters":300,"tasks":{"ner":50},"labels":{"ner":{"PER":400}},
 * "relations":{},"skipped":0}`.
 */
HMTL_MUST_USE hmtl_error *hmtl_dataset_info(const hmtl_dataset *dataset, char **out_json);

/**
 * Returns the number of documents; 0 when `dataset` is NULL.
 */
size_t hmtl_dataset_len(const hmtl_dataset *dataset);

/**
 * Writes document `index` as JSON, in the shape that annotation returns.
 */
HMTL_MUST_USE
hmtl_error *hmtl_dataset_get(const hmtl_dataset *dataset,
                             size_t index,
                             char **out_json);

/**
 * Writes the data set in `format`: jsonl, which holds all of it, conll2003 or conll2012 to the file
 * `path`, brat to the folder `path`. An older file is replaced. What a format has no place for is
 * left out; nested mentions, which conll2003 cannot do without, are an error.
 */
HMTL_MUST_USE
hmtl_error *hmtl_dataset_write(const hmtl_dataset *dataset,
                               const char *format,
                               const char *path);

/**
 * Frees the data set.
 */
void hmtl_dataset_free(hmtl_dataset *dataset);

/**
 * Creates a trainer for the run that `config_json` describes: model, data, training. Paths in it
 * are relative to where the process works. Data can be added with hmtl_trainer_add_dataset; it is
 * read at the first step.
 *
 * ```json
 * {"format":1,
 *  "model":{"format":1,
 *           "embedding":{"words":{"type":"table","size":100},
 *                        "chars":{"type":"cnn","size":16,"filters":64,"widths":[3]}},
 *           "encoders":{"low":{"type":"lstm","inputs":["embedding"],"hidden":64,"layers":1}},
 *           "tasks":{"ner":{"type":"crf_tagger","on":"low"}}},
 *  "training":{"seed":1,"epochs":10,"optimizer":{"learning_rate":0.002},
 *              "tasks":{"ner":{"batch_size":16,"patience":3}}}}
 * ```
 *
 * `"start":"models/mine"` goes on from a model, with what `model` says put over its own;
 * `"start":"default"` from the model that ships.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_new(const char *config_json,
                             hmtl_trainer **out_trainer);

/**
 * Resumes from the checkpoint in `dir`, which hmtl_trainer_save wrote: what follows is what would
 * have followed, bit for bit on the CPU. Data that was added must be added again; other data is
 * an error at the first step. Options: `device`, `config` (a description as of hmtl_trainer_new: an
 * error names what differs from the checkpoint's).
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_resume(const char *dir,
                                const char *options_json,
                                hmtl_trainer **out_trainer);

/**
 * Gives a task its data for a split: "train", "dev" or "test". The data set may be freed
 * afterwards. An error once the run has begun.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_add_dataset(hmtl_trainer *trainer,
                                     const char *task,
                                     const char *split,
                                     const hmtl_dataset *dataset);

/**
 * Takes one optimization step on the next batch of the schedule: `{"task":"ner","loss":1.7,
 * "learning_rate":0.001}`, and as `along` the losses of the tasks that learned along, if some did.
 * Nothing is scored at the end of an epoch. `out_json` may be NULL.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_step(hmtl_trainer *trainer,
                              char **out_json);

/**
 * Trains until the last epoch, until tasks are out of patience as configured, or until `cancel`,
 * which may be NULL. A cancelled trainer stands between two steps: it can be saved, resumed and
 * trained further. When the run has ended, the trainer has the weights of the best epoch.
 *
 * `on_event` may be NULL; it gets, one by one,
 *
 * ```json
 * {"event":"step","step":3,"steps":50,"epoch":1,"total":3,"task":"ner","loss":1.7,
 *  "learning_rate":0.001}
 * {"event":"evaluating","task":"ner","split":"dev"}
 * {"event":"evaluated","task":"ner","split":"dev","score":0.81,"details":{...}}
 * {"event":"epoch","epoch":1,"step":50,"seconds":4.2,"learning_rate":0.001,"mean":0.81,
 *  "best":true,"tasks":{"ner":{"steps":50,"loss":1.2,"score":0.81,"best_score":0.81,"best":true,
 *  "details":{...},"out_of_patience":false}}}
 * {"event":"finished","reason":"epochs","epochs":10,"steps":500,"best_epoch":8,
 *  "test":{"ner":{"score":0.8,"details":{...}}}}
 * ```
 *
 * `out_json`, which may be NULL, is as of hmtl_trainer_info.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_train(hmtl_trainer *trainer,
                               hmtl_event_fn on_event,
                               void *user_data,
                               const hmtl_cancel *cancel,
                               char **out_json);

/**
 * Scores the weights as they stand on the data of a split, "train", "dev" or "test":
 * `{"ner":{"score":0.81,"details":{...}}}`, without the tasks that have none. `cancel` may be NULL.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_evaluate(hmtl_trainer *trainer,
                                  const char *split,
                                  const hmtl_cancel *cancel,
                                  char **out_json);

/**
 * Describes progress as JSON: `{"step":120,"epoch":2,"epochs":9,"step_in_epoch":20,
 * "steps_per_epoch":50,"learning_rate":0.001,"finished":null,"best_epoch":1,"best_mean":0.61,
 * "tasks":{"ner":{"steps":60,"examples":900,"batches":30,"best_epoch":1,"best_score":0.8,
 * "out_of_patience":false}},"parameters":12000000,"trainable_parameters":2000000}`.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_info(const hmtl_trainer *trainer,
                              char **out_json);

/**
 * Writes a checkpoint to `dir`, whole or not at all; it replaces an older checkpoint there and
 * nothing else. `dir/model` is a model that hmtl_model_load takes, as of hmtl_trainer_snapshot.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_save(const hmtl_trainer *trainer,
                              const char *dir);

/**
 * Copies the current weights into a model for inference, on the CPU: averaged if the run averages
 * them, and those of the best epoch once the run has ended.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_snapshot(const hmtl_trainer *trainer,
                                  hmtl_model **out_model);

/**
 * Copies the weights of the epoch with the best dev score of a task into a model; without a
 * `task`, NULL, with the best mean. An error before the first epoch was scored.
 */
HMTL_MUST_USE
hmtl_error *hmtl_trainer_snapshot_best(const hmtl_trainer *trainer,
                                       const char *task,
                                       hmtl_model **out_model);

/**
 * Frees the trainer.
 */
void hmtl_trainer_free(hmtl_trainer *trainer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HMTL_H */
