//! [`Inside`]: the driver in Rust, which calls the functions of the C API in this process.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};

use hmtl::ffi::*;

use crate::driver::{Answer, Argument, Driver};

type CResult = Result<Option<String>, (i32, String)>;

#[derive(Default)]
pub struct Inside {
    cancels: HashMap<String, *mut hmtl_cancel>,
    models: HashMap<String, *mut hmtl_model>,
    datasets: HashMap<String, *mut hmtl_dataset>,
    trainers: HashMap<String, *mut hmtl_trainer>,
}

/// The arguments of a call, one after the other.
struct Arguments<'a>(std::slice::Iter<'a, Argument>);

impl<'a> Arguments<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next().expect("another argument").as_deref()
    }

    fn name(&mut self) -> String {
        String::from_utf8(self.next().expect("a name").to_vec()).unwrap()
    }

    fn number(&mut self) -> usize {
        self.name().parse().expect("a number")
    }

    /// A string that ends in NUL.
    fn string(&mut self) -> Option<CString> {
        self.next().map(|bytes| CString::new(bytes).expect("no NUL in a C string"))
    }

    fn rest(&mut self) -> Vec<hmtl_str> {
        self.0.by_ref().map(|a| view(a.as_deref())).collect()
    }
}

fn view(bytes: Option<&[u8]>) -> hmtl_str {
    bytes.map_or(hmtl_str { data: null(), len: 0 }, |b| hmtl_str {
        data: b.as_ptr().cast(),
        len: b.len(),
    })
}

fn pointer(string: &Option<CString>) -> *const c_char {
    string.as_ref().map_or(null(), |s| s.as_ptr())
}

/// An object by its name; NULL for a name that nothing was made under.
fn object<T>(objects: &HashMap<String, *mut T>, name: Option<&[u8]>) -> *mut T {
    name.and_then(|name| objects.get(std::str::from_utf8(name).unwrap()))
        .copied()
        .unwrap_or(null_mut())
}

fn checked(error: *mut hmtl_error) -> Result<(), (i32, String)> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is the caller's, and freed once.
    unsafe {
        let message = CStr::from_ptr(hmtl_error_message(error)).to_str().unwrap().to_owned();
        let code = hmtl_error_code(error) as i32;
        hmtl_error_free(error);
        Err((code, message))
    }
}

/// A call that writes a string.
fn json(call: impl FnOnce(*mut *mut c_char) -> *mut hmtl_error) -> CResult {
    let mut out = null_mut();
    checked(call(&mut out))?;
    // SAFETY: the call succeeded: the string is the caller's, and freed once.
    unsafe {
        let text = CStr::from_ptr(out).to_str().unwrap().to_owned();
        hmtl_string_free(out);
        Ok(Some(text))
    }
}

/// A call that makes an object.
fn made<T>(
    objects: &mut HashMap<String, *mut T>,
    name: String,
    call: impl FnOnce(*mut *mut T) -> *mut hmtl_error,
) -> CResult {
    let mut out = null_mut();
    checked(call(&mut out))?;
    objects.insert(name, out);
    Ok(None)
}

struct Watch {
    events: Vec<String>,
    cancel: *mut hmtl_cancel,
    /// The step event at which to trigger it.
    count: Option<usize>,
}

unsafe extern "C" fn on_event(event: *const c_char, watch: *mut c_void) {
    // SAFETY: the watch outlives the call, and the event this function.
    unsafe {
        let watch = &mut *watch.cast::<Watch>();
        watch.events.push(CStr::from_ptr(event).to_str().unwrap().to_owned());
        let steps = watch.events.iter().filter(|e| e.starts_with(r#"{"event":"step""#)).count();
        if watch.count == Some(steps) {
            hmtl_cancel_trigger(watch.cancel);
        }
    }
}

impl Inside {
    // SAFETY of all: what is passed lives until the call returns, and objects until they are freed.
    fn result(&mut self, call: &str, a: &mut Arguments, events: &mut Vec<String>) -> CResult {
        match call {
            "version" => {
                Ok(Some(unsafe { CStr::from_ptr(hmtl_version()) }.to_str().unwrap().into()))
            }
            "abi_version" => Ok(Some(hmtl_abi_version().to_string())),
            "build_info" => json(|out| unsafe { hmtl_build_info(out) }),
            "devices" => json(|out| unsafe { hmtl_devices(out) }),
            "set_num_threads" => checked(hmtl_set_num_threads(a.number() as u32)).map(|()| None),
            "cancel_new" => {
                self.cancels.insert(a.name(), hmtl_cancel_new());
                Ok(None)
            }
            "cancel_new_child" => {
                let (name, parent) = (a.name(), object(&self.cancels, a.next()));
                self.cancels.insert(name, unsafe { hmtl_cancel_new_child(parent) });
                Ok(None)
            }
            "cancel_trigger" => {
                unsafe { hmtl_cancel_trigger(object(&self.cancels, a.next())) };
                Ok(None)
            }
            "cancel_free" => {
                unsafe { hmtl_cancel_free(self.cancels.remove(&a.name()).unwrap()) };
                Ok(None)
            }
            _ => match call.split_once('_') {
                Some(("model", call)) => self.model(call, a),
                Some(("dataset", call)) => self.dataset(call, a),
                Some(("trainer", call)) => self.trainer(call, a, events),
                _ => panic!("unknown call {call}"),
            },
        }
    }

    fn model(&mut self, call: &str, a: &mut Arguments) -> CResult {
        if call == "load" {
            let (name, dir, options) = (a.name(), a.string(), a.string());
            return made(&mut self.models, name, |out| unsafe {
                hmtl_model_load(pointer(&dir), pointer(&options), out)
            });
        }
        let name = a.next();
        let model = object(&self.models, name);
        match call {
            "info" => json(|out| unsafe { hmtl_model_info(model, out) }),
            "annotate" => {
                let (text, options) = (view(a.next()), a.string());
                json(|out| unsafe {
                    hmtl_model_annotate(model, text.data, text.len, pointer(&options), out)
                })
            }
            "annotate_batch" => {
                let (cancel, options) = (object(&self.cancels, a.next()), a.string());
                let texts = a.rest();
                json(|out| unsafe {
                    let (texts, count) = (texts.as_ptr(), texts.len());
                    hmtl_model_annotate_batch(model, texts, count, pointer(&options), cancel, out)
                })
            }
            "annotate_tokens" => {
                let (options, ends) = (a.string(), a.next());
                let ends: Option<Vec<usize>> = ends.map(|ends| {
                    let ends = std::str::from_utf8(ends).unwrap().split_whitespace();
                    ends.map(|end| end.parse().unwrap()).collect()
                });
                let tokens = a.rest();
                let (ends, sentences) =
                    ends.as_ref().map_or((null(), 0), |e| (e.as_ptr(), e.len()));
                json(|out| unsafe {
                    hmtl_model_annotate_tokens(
                        model,
                        tokens.as_ptr(),
                        tokens.len(),
                        ends,
                        sentences,
                        pointer(&options),
                        out,
                    )
                })
            }
            "evaluate" => {
                let (dataset, options) = (object(&self.datasets, a.next()), a.string());
                let cancel = object(&self.cancels, a.next());
                json(|out| unsafe {
                    hmtl_model_evaluate(model, dataset, pointer(&options), cancel, out)
                })
            }
            "save" => {
                let (dir, options) = (a.string(), a.string());
                checked(unsafe { hmtl_model_save(model, pointer(&dir), pointer(&options)) })
                    .map(|()| None)
            }
            "free" => {
                self.models.remove(std::str::from_utf8(name.unwrap()).unwrap());
                unsafe { hmtl_model_free(model) };
                Ok(None)
            }
            _ => panic!("unknown call model_{call}"),
        }
    }

    fn dataset(&mut self, call: &str, a: &mut Arguments) -> CResult {
        let name = a.next();
        let text = |name: Option<&[u8]>| String::from_utf8(name.unwrap().to_vec()).unwrap();
        let dataset = object(&self.datasets, name);
        match call {
            "open" => {
                let (format, path, options) = (a.string(), a.string(), a.string());
                made(&mut self.datasets, text(name), |out| unsafe {
                    hmtl_dataset_open(pointer(&format), pointer(&path), pointer(&options), out)
                })
            }
            "from_jsonl" => {
                let jsonl = view(a.next());
                made(&mut self.datasets, text(name), |out| unsafe {
                    hmtl_dataset_from_jsonl(jsonl.data, jsonl.len, out)
                })
            }
            "info" => json(|out| unsafe { hmtl_dataset_info(dataset, out) }),
            "len" => Ok(Some(unsafe { hmtl_dataset_len(dataset) }.to_string())),
            "get" => {
                let index = a.number();
                json(|out| unsafe { hmtl_dataset_get(dataset, index, out) })
            }
            "write" => {
                let (format, path) = (a.string(), a.string());
                let (format, path) = (pointer(&format), pointer(&path));
                checked(unsafe { hmtl_dataset_write(dataset, format, path) }).map(|()| None)
            }
            "free" => {
                self.datasets.remove(&text(name));
                unsafe { hmtl_dataset_free(dataset) };
                Ok(None)
            }
            _ => panic!("unknown call dataset_{call}"),
        }
    }

    fn trainer(&mut self, call: &str, a: &mut Arguments, events: &mut Vec<String>) -> CResult {
        match call {
            "new" => {
                let (name, config) = (a.name(), a.string());
                return made(&mut self.trainers, name, |out| unsafe {
                    hmtl_trainer_new(pointer(&config), out)
                });
            }
            "resume" => {
                let (name, dir, options) = (a.name(), a.string(), a.string());
                return made(&mut self.trainers, name, |out| unsafe {
                    hmtl_trainer_resume(pointer(&dir), pointer(&options), out)
                });
            }
            _ => {}
        }
        let name = a.next();
        let trainer = object(&self.trainers, name);
        match call {
            "add_dataset" => {
                let (task, split) = (a.string(), a.string());
                let dataset = object(&self.datasets, a.next());
                let (task, split) = (pointer(&task), pointer(&split));
                checked(unsafe { hmtl_trainer_add_dataset(trainer, task, split, dataset) })
                    .map(|()| None)
            }
            "step" => json(|out| unsafe { hmtl_trainer_step(trainer, out) }),
            "train" => {
                let cancel = object(&self.cancels, a.next());
                let count = a.next().map(|n| std::str::from_utf8(n).unwrap().parse().unwrap());
                let mut watch = Watch { events: Vec::new(), cancel, count };
                let data: *mut c_void = (&raw mut watch).cast();
                let result = json(|out| unsafe {
                    hmtl_trainer_train(trainer, Some(on_event), data, cancel, out)
                });
                *events = watch.events;
                result
            }
            "evaluate" => {
                let (split, cancel) = (a.string(), object(&self.cancels, a.next()));
                json(|out| unsafe { hmtl_trainer_evaluate(trainer, pointer(&split), cancel, out) })
            }
            "info" => json(|out| unsafe { hmtl_trainer_info(trainer, out) }),
            "save" => {
                let dir = a.string();
                checked(unsafe { hmtl_trainer_save(trainer, pointer(&dir)) }).map(|()| None)
            }
            "snapshot" => made(&mut self.models, a.name(), |out| unsafe {
                hmtl_trainer_snapshot(trainer, out)
            }),
            "snapshot_best" => {
                let (task, model) = (a.string(), a.name());
                made(&mut self.models, model, |out| unsafe {
                    hmtl_trainer_snapshot_best(trainer, pointer(&task), out)
                })
            }
            "free" => {
                self.trainers.remove(std::str::from_utf8(name.unwrap()).unwrap());
                unsafe { hmtl_trainer_free(trainer) };
                Ok(None)
            }
            _ => panic!("unknown call trainer_{call}"),
        }
    }
}

impl Driver for Inside {
    fn call(&mut self, name: &str, arguments: &[Argument]) -> Answer {
        let mut events = Vec::new();
        let mut rest = Arguments(arguments.iter());
        let result = self.result(name, &mut rest, &mut events);
        assert!(rest.0.next().is_none(), "{name} has too many arguments");
        Answer { events, result }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // SAFETY: each object is freed once.
        unsafe {
            self.trainers.values().for_each(|&t| hmtl_trainer_free(t));
            self.datasets.values().for_each(|&d| hmtl_dataset_free(d));
            self.models.values().for_each(|&m| hmtl_model_free(m));
            self.cancels.values().for_each(|&c| hmtl_cancel_free(c));
        }
    }
}
