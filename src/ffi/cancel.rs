use crate::Cancel;

/// Asks running calls to stop. May be triggered from any thread and from a signal handler, and stays
/// triggered.
pub struct hmtl_cancel(pub(super) Cancel);

/// Creates a cancellation token.
#[unsafe(no_mangle)]
pub extern "C" fn hmtl_cancel_new() -> *mut hmtl_cancel {
    Box::into_raw(Box::new(hmtl_cancel(Cancel::new())))
}

/// Creates a token that is triggered when `parent` is, and can be triggered alone. `parent` may be
/// freed, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_cancel_new_child(parent: *const hmtl_cancel) -> *mut hmtl_cancel {
    // SAFETY: as the header says.
    let child = unsafe { parent.as_ref() }.map_or_else(Cancel::new, |p| p.0.child());
    Box::into_raw(Box::new(hmtl_cancel(child)))
}

/// Triggers the token: calls that hold it return HMTL_CODE_CANCELLED at the next step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_cancel_trigger(cancel: *const hmtl_cancel) {
    // SAFETY: as the header says.
    if let Some(cancel) = unsafe { cancel.as_ref() } {
        cancel.0.trigger();
    }
}

/// Frees the token. A call that holds it keeps its own reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_cancel_free(cancel: *mut hmtl_cancel) {
    // SAFETY: as the header says.
    unsafe { super::arguments::free(cancel) }
}

/// The token's flag, or one that nobody raises.
pub(super) unsafe fn token(cancel: *const hmtl_cancel) -> Cancel {
    // SAFETY: passed on.
    unsafe { cancel.as_ref() }.map(|c| c.0.clone()).unwrap_or_default()
}
