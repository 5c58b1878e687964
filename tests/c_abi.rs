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

#[test]
fn c_program_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("abi_test");
    let lib = library_dir();
    // The loader asks for the SONAME.
    let soname = lib.join(concat!("libhmtl.so.", env!("HMTL_ABI_VERSION")));
    let _ = fs::remove_file(&soname);
    std::os::unix::fs::symlink("libhmtl.so", &soname).unwrap();
    let status = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"])
        .arg("-I")
        .arg(root.join("include"))
        .arg(root.join("tests/c/abi_test.c"))
        .arg("-L")
        .arg(&lib)
        .arg("-lhmtl")
        .arg(format!("-Wl,-rpath,{}", lib.display()))
        .arg("-o")
        .arg(&exe)
        .status()
        .expect("cc");
    assert!(status.success());
    let model = common::tiny_model();
    let dir = model.path().join("model");
    let out = Command::new(&exe).arg(&dir).env("HMTL_MODEL", &dir).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{}: {stdout}{stderr}", out.status);
    // The library is a guest: nothing of its own reaches the terminal.
    assert_eq!((stdout.as_ref(), stderr.as_ref()), ("ok\n", ""));
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
