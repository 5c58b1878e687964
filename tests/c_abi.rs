//! Compiles and runs a C program against the shared library, as an embedder would.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where Cargo put libhmtl.so for this test run.
fn library_dir() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// Compiles `tests/c/NAME.c` as strict C99 against the shared library, for a test of its own.
fn compiled(name: &str, test: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{test}"));
    let lib = library_dir();
    // The loader asks for the SONAME. Two tests may make the link at once.
    let soname = lib.join(concat!("libhmtl.so.", env!("HMTL_ABI_VERSION")));
    let temporary = lib.join(format!("libhmtl.so.{name}-{test}"));
    let _ = fs::remove_file(&temporary);
    std::os::unix::fs::symlink("libhmtl.so", &temporary).unwrap();
    fs::rename(&temporary, &soname).unwrap();
    let status = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"])
        .arg("-I")
        .arg(root.join("include"))
        .arg(root.join(format!("tests/c/{name}.c")))
        .arg("-L")
        .arg(&lib)
        .arg("-lhmtl")
        .arg(format!("-Wl,-rpath,{}", lib.display()))
        .arg("-o")
        .arg(&exe)
        .status()
        .expect("cc");
    assert!(status.success());
    exe
}

/// Runs a test program, which must say only "ok".
fn passes(command: &mut Command) {
    // Cargo's own path may hold the library of an earlier build.
    let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let paths = std::iter::once(library_dir()).chain(env::split_paths(&inherited));
    let out = command.env("LD_LIBRARY_PATH", env::join_paths(paths).unwrap()).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{}: {stdout}{stderr}", out.status);
    // The library is a guest: nothing of its own reaches the terminal.
    assert_eq!((stdout.as_ref(), stderr.as_ref()), ("ok\n", ""));
}

#[test]
fn c_program_passes() {
    let model = common::tiny_model();
    let dir = model.path().join("model");
    passes(Command::new(compiled("abi_test", "plain")).arg(&dir).env("HMTL_MODEL", &dir));
}

#[test]
fn c_program_trains() {
    let dir = tempfile::tempdir().unwrap();
    passes(Command::new(compiled("trainer_test", "plain")).arg(dir.path()));
}

/// Nothing that the C program does to models and trainers touches memory that is not its own, and
/// nothing that it frees stays.
#[test]
#[allow(clippy::print_stderr)] // a skipped test must say so
fn valgrind_finds_nothing() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        eprintln!("SKIPPED: needs valgrind, which is not here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suppressions = format!("--suppressions={}", root.join("tests/c/valgrind.supp").display());
    passes(
        Command::new("valgrind")
            .args([
                "-q",
                "--error-exitcode=9",
                "--leak-check=full",
                "--errors-for-leak-kinds=definite",
                "--show-leak-kinds=definite",
            ])
            .arg(suppressions)
            .arg(compiled("trainer_test", "valgrind"))
            .arg(dir.path())
            .arg("short")
            // oneDNN's newer instructions are beyond valgrind.
            .env("ONEDNN_MAX_CPU_ISA", "SSE41")
            .env("HMTL_WORKERS", "1"),
    );
}

#[test]
fn the_header_is_cpp_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()))
        .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"])
        .args(["-x", "c++", "-include", "hmtl.h", "-I"])
        .arg(root.join("include"))
        .arg("/dev/null")
        .status()
        .expect("c++");
    assert!(status.success());
}

/// The library exports exactly the functions that the header declares.
#[test]
fn exports_match_header() {
    let header =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/include/hmtl.h")).unwrap();
    let declared: BTreeSet<&str> = header
        .lines()
        .filter(|l| !l.starts_with([' ', '/', '#']) && !l.starts_with("typedef"))
        .filter_map(|l| l.split('(').next())
        .filter_map(|l| l.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("hmtl_") && header.contains(&format!("{name}(")))
        .collect();
    assert!(declared.len() > 20);
    let nm = Command::new("nm")
        .args(["-D", "--defined-only", "--format=posix"])
        .arg(library_dir().join("libhmtl.so"))
        .output()
        .expect("nm");
    let nm = String::from_utf8(nm.stdout).unwrap();
    let exported: BTreeSet<&str> = nm.lines().filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(declared, exported);
}
