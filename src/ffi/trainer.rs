use std::ffi::{CString, c_char, c_void};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::arguments::{Out, free, guard, optional_str, options, path, required, required_str};
use super::cancel::token;
use super::{hmtl_cancel, hmtl_dataset, hmtl_error, hmtl_model};
use crate::train::{Event, Run, RunConfig, Split};
use crate::{Error, Model, Result};

/// Trains a model: its data, weights, optimizers, schedules and random state.
pub struct hmtl_trainer(Run);

/// Receives a training event as JSON, on the thread that called hmtl_trainer_train. Until it
/// returns, it and other threads may call functions that take the trainer as `const`, such as
/// hmtl_trainer_save.
pub type hmtl_event_fn =
    Option<unsafe extern "C" fn(event_json: *const c_char, user_data: *mut c_void)>;

/// Creates a trainer for the run that `config_json` describes: model, data, training. Paths in it
/// are relative to where the process works. Data can be added with hmtl_trainer_add_dataset; it is
/// read at the first step.
///
/// ```json
/// {"format":1,
///  "model":{"format":1,
///           "embedding":{"words":{"type":"table","size":100},
///                        "chars":{"type":"cnn","size":16,"filters":64,"widths":[3]}},
///           "encoders":{"low":{"type":"lstm","inputs":["embedding"],"hidden":64,"layers":1}},
///           "tasks":{"ner":{"type":"crf_tagger","on":"low"}}},
///  "training":{"seed":1,"epochs":10,"optimizer":{"learning_rate":0.002},
///              "tasks":{"ner":{"batch_size":16,"patience":3}}}}
/// ```
///
/// `"start":"models/mine"` goes on from a model, with what `model` says put over its own;
/// `"start":"default"` from the model that ships.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_new(
    config_json: *const c_char,
    out_trainer: *mut *mut hmtl_trainer,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (config, out) = unsafe {
            (required_str(config_json, "config_json")?, Out::new(out_trainer, "out_trainer")?)
        };
        out.give(hmtl_trainer(Run::new(RunConfig::from_json(config)?)?));
        Ok(())
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ResumeOptions {
    device: Option<String>,
    config: Option<Value>,
}

/// Resumes from the checkpoint in `dir`, which hmtl_trainer_save wrote: what follows is what would
/// have followed, bit for bit on the CPU. Data that was added must be added again; other data is
/// an error at the first step. Options: `device`, `config` (a description as of hmtl_trainer_new: an
/// error names what differs from the checkpoint's).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_resume(
    dir: *const c_char,
    options_json: *const c_char,
    out_trainer: *mut *mut hmtl_trainer,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (dir, options, out) = unsafe {
            let options: ResumeOptions = options(options_json)?;
            (path(dir, "dir")?, options, Out::new(out_trainer, "out_trainer")?)
        };
        let expected = options.config.map(|c| RunConfig::from_json(&c.to_string())).transpose()?;
        let run = Run::resume(dir, options.device.as_deref(), expected.as_ref())?;
        out.give(hmtl_trainer(run));
        Ok(())
    })
}

/// Gives a task its data for a split: "train", "dev" or "test". The data set may be freed
/// afterwards. An error once the run has begun.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_add_dataset(
    trainer: *mut hmtl_trainer,
    task: *const c_char,
    split: *const c_char,
    dataset: *const hmtl_dataset,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (trainer, task, split, dataset) = unsafe {
            let trainer = required(trainer, "trainer")?;
            let (task, split) = (required_str(task, "task")?, required_str(split, "split")?);
            (trainer, task, split, required(dataset, "dataset")?)
        };
        trainer.0.add(task, split.parse::<Split>()?, &dataset.0.documents)
    })
}

/// Takes one optimization step on the next batch of the schedule: `{"task":"ner","loss":1.7,
/// "learning_rate":0.001}`, and as `along` the losses of the tasks that learned along, if some did.
/// Nothing is scored at the end of an epoch. `out_json` may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_step(
    trainer: *mut hmtl_trainer,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let trainer = unsafe { required(trainer, "trainer")? };
        let step = trainer.0.with(|t| t.step())?;
        match Out::new_or_none(out_json) {
            Some(out) => out.json(&step),
            None => Ok(()),
        }
    })
}

/// Trains until the last epoch, until tasks are out of patience as configured, or until `cancel`,
/// which may be NULL. A cancelled trainer stands between two steps: it can be saved, resumed and
/// trained further. When the run has ended, the trainer has the weights of the best epoch.
///
/// `on_event` may be NULL; it gets, one by one,
///
/// ```json
/// {"event":"step","step":3,"steps":50,"epoch":1,"total":3,"task":"ner","loss":1.7,
///  "learning_rate":0.001}
/// {"event":"evaluating","task":"ner","split":"dev"}
/// {"event":"evaluated","task":"ner","split":"dev","score":0.81,"details":{...}}
/// {"event":"epoch","epoch":1,"step":50,"seconds":4.2,"learning_rate":0.001,"mean":0.81,
///  "best":true,"tasks":{"ner":{"steps":50,"loss":1.2,"score":0.81,"best_score":0.81,"best":true,
///  "details":{...},"out_of_patience":false}}}
/// {"event":"finished","reason":"epochs","epochs":10,"steps":500,"best_epoch":8,
///  "test":{"ner":{"score":0.8,"details":{...}}}}
/// ```
///
/// `out_json`, which may be NULL, is as of hmtl_trainer_info.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_train(
    trainer: *mut hmtl_trainer,
    on_event: hmtl_event_fn,
    user_data: *mut c_void,
    cancel: *const hmtl_cancel,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (trainer, cancel) = unsafe { (required(trainer, "trainer")?, token(cancel)) };
        while let Some(event) = trainer.0.advance(&cancel)? {
            if let Some(on_event) = on_event {
                let json = event_json(&event)?;
                // SAFETY: the caller's function, with a string that lives until it returns.
                unsafe { on_event(json.as_ptr(), user_data) };
            }
        }
        match Out::new_or_none(out_json) {
            Some(out) => out.json(&trainer.0.with(|t| Ok(t.info()))?),
            None => Ok(()),
        }
    })
}

fn event_json(event: &Event) -> Result<CString> {
    let json = serde_json::to_vec(event).map_err(|e| Error::Internal(e.to_string()))?;
    CString::new(json).map_err(|e| Error::Internal(e.to_string()))
}

/// Scores the weights as they stand on the data of a split, "train", "dev" or "test":
/// `{"ner":{"score":0.81,"details":{...}}}`, without the tasks that have none. `cancel` may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_evaluate(
    trainer: *mut hmtl_trainer,
    split: *const c_char,
    cancel: *const hmtl_cancel,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (trainer, split, cancel, out) = unsafe {
            let (trainer, split) = (required(trainer, "trainer")?, required_str(split, "split")?);
            (trainer, split.parse::<Split>()?, token(cancel), Out::new(out_json, "out_json")?)
        };
        let tasks: Vec<String> = trainer.0.with(|t| Ok(t.tasks().map(str::to_owned).collect()))?;
        let mut scores = Map::new();
        for task in tasks {
            if let Some(score) = trainer.0.with(|t| t.evaluate(&task, split, &cancel))? {
                let score =
                    serde_json::to_value(score).map_err(|e| Error::Internal(e.to_string()))?;
                scores.insert(task, score);
            }
        }
        out.json(&scores)
    })
}

/// Describes progress as JSON: `{"step":120,"epoch":2,"epochs":9,"step_in_epoch":20,
/// "steps_per_epoch":50,"learning_rate":0.001,"finished":null,"best_epoch":1,"best_mean":0.61,
/// "tasks":{"ner":{"steps":60,"examples":900,"batches":30,"best_epoch":1,"best_score":0.8,
/// "out_of_patience":false}},"parameters":12000000,"trainable_parameters":2000000}`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_info(
    trainer: *const hmtl_trainer,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (trainer, out) =
            unsafe { (required(trainer, "trainer")?, Out::new(out_json, "out_json")?) };
        out.json(&trainer.0.with(|t| Ok(t.info()))?)
    })
}

/// Writes a checkpoint to `dir`, whole or not at all; it replaces an older checkpoint there and
/// nothing else. `dir/model` is a model that hmtl_model_load takes, as of hmtl_trainer_snapshot.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_save(
    trainer: *const hmtl_trainer,
    dir: *const c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (trainer, dir) = unsafe { (required(trainer, "trainer")?, path(dir, "dir")?) };
        trainer.0.with(|t| t.save(dir))
    })
}

/// Copies the current weights into a model for inference, on the CPU: averaged if the run averages
/// them, and those of the best epoch once the run has ended.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_snapshot(
    trainer: *const hmtl_trainer,
    out_model: *mut *mut hmtl_model,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (trainer, out) =
            unsafe { (required(trainer, "trainer")?, Out::new(out_model, "out_model")?) };
        out.give(hmtl_model(trainer.0.with(|t| Model::new(t.model()?))?));
        Ok(())
    })
}

/// Copies the weights of the epoch with the best dev score of a task into a model; without a
/// `task`, NULL, with the best mean. An error before the first epoch was scored.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_trainer_snapshot_best(
    trainer: *const hmtl_trainer,
    task: *const c_char,
    out_model: *mut *mut hmtl_model,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (trainer, task, out) = unsafe {
            let trainer = required(trainer, "trainer")?;
            (trainer, optional_str(task, "task")?, Out::new(out_model, "out_model")?)
        };
        let model = trainer.0.with(|t| match t.best_model(task)? {
            Some(parts) => Model::new(parts),
            None => Err(Error::invalid(format!(
                "no epoch was scored{}",
                task.map_or(String::new(), |t| format!(" for task `{t}`"))
            ))),
        })?;
        out.give(hmtl_model(model));
        Ok(())
    })
}

/// Frees the trainer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_trainer_free(trainer: *mut hmtl_trainer) {
    // SAFETY: as the header says.
    unsafe { free(trainer) }
}
