use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::sync::{Once, PoisonError, RwLock};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::engine::guarded;

/// Receives one log line. Levels: 1 error, 2 warning, 3 info, 4 debug, 5 trace.
pub type hmtl_log_fn =
    Option<unsafe extern "C" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

#[derive(Clone, Copy)]
struct Sink {
    callback: unsafe extern "C" fn(i32, *const c_char, *mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the header says that the callback may be called from any thread with its user data.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

/// Read while a callback runs: who writes waits for it.
static SINK: RwLock<Option<Sink>> = RwLock::new(None);

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

struct Forward;

impl Log for Forward {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        // What a callback does is not logged: it would call itself.
        if !self.enabled(record.metadata()) || IN_CALLBACK.try_with(Cell::get).unwrap_or(true) {
            return;
        }
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Sink { callback, user_data }) = *sink else { return };
        let line = record.args().to_string().replace(['\n', '\r', '\0'], " ");
        let Ok(line) = CString::new(line) else { return };
        let level = match record.level() {
            Level::Error => 1,
            Level::Warn => 2,
            Level::Info => 3,
            Level::Debug => 4,
            Level::Trace => 5,
        };
        IN_CALLBACK.set(true);
        // SAFETY: the caller of hmtl_set_log promised that this may be called until it is replaced,
        // and replacing it waits for the lock that is held here.
        unsafe { callback(level, line.as_ptr(), user_data) };
        IN_CALLBACK.set(false);
    }

    fn flush(&self) {}
}

/// Sends log lines up to `max_level` (1 error to 5 trace) to `callback`, from any thread; NULL
/// turns logging off. Process-wide; nothing is logged until it is called. When it returns, the
/// former callback runs no more. May be called from any thread, but not by a callback.
#[unsafe(no_mangle)]
pub extern "C" fn hmtl_set_log(max_level: i32, callback: hmtl_log_fn, user_data: *mut c_void) {
    static INSTALLED: Once = Once::new();
    let set = || {
        // A Rust host may have a logger of its own: that one stays.
        INSTALLED.call_once(|| drop(log::set_logger(&Forward)));
        let mut sink = SINK.write().unwrap_or_else(PoisonError::into_inner);
        *sink = callback.map(|callback| Sink { callback, user_data });
        log::set_max_level(match (callback, max_level) {
            (None, _) | (_, i32::MIN..=0) => LevelFilter::Off,
            (_, 1) => LevelFilter::Error,
            (_, 2) => LevelFilter::Warn,
            (_, 3) => LevelFilter::Info,
            (_, 4) => LevelFilter::Debug,
            (_, 5..) => LevelFilter::Trace,
        });
        Ok(())
    };
    // Nothing in it can fail.
    let _ = guarded(set);
}
