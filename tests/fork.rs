//! A forked child has no workers: it gets an error, not an endless wait.

mod common;

use hmtl::model::{AnnotateOptions, LoadOptions};
use hmtl::{Error, Model};

#[test]
fn a_forked_child_is_told_so() {
    let dir = common::tiny_model();
    let model = Model::load(&dir.path().join("model"), &LoadOptions::default()).unwrap();
    // SAFETY: the child calls nothing that another thread could have locked, and ends itself.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let result = model.annotate("Maria", &AnnotateOptions::default());
        let told = matches!(&result, Err(Error::Unsupported(m)) if m.contains("forked"));
        drop(model);
        // SAFETY: ends the child at once, without the handlers of the test program.
        unsafe { libc::_exit(if told { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: `child` is a child of this process.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
    assert!(model.annotate("Maria", &AnnotateOptions::default()).is_ok());
}
