//! A test for each language: builds its driver and runs the suite with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::driver::Process;
use crate::inside::Inside;
use crate::{folder, root, run};

#[test]
fn rust() {
    run("rust", Inside::default, drop);
}

#[test]
fn c() {
    let exe = scratch("driver-c");
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    succeed(linked(
        Command::new(compiler)
            .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"])
            .arg(folder().join("driver.c")),
        &exe,
    ));
    run("c", || Process::start(&mut command(&exe)), Process::finish);
}

#[test]
fn cpp() {
    let exe = scratch("driver-cpp");
    let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
    succeed(linked(
        Command::new(compiler)
            .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
            .arg(root().join("bindings/cpp"))
            .arg(folder().join("driver.cpp")),
        &exe,
    ));
    run("cpp", || Process::start(&mut command(&exe)), Process::finish);
}

#[test]
fn go() {
    for (program, version) in [("go", "version"), ("pkg-config", "--version")] {
        if !works(Command::new(program).arg(version)) {
            eprintln!("SKIPPED: needs {program}, which is not here");
            return;
        }
    }
    let exe = scratch("driver-go");
    let build = scratch("pkgconfig");
    fs::create_dir_all(&build).unwrap();
    let (include, library) = (root().join("include"), library());
    let description = format!(
        "Name: hmtl\nDescription: under test\nVersion: {}\nLibs: -L{} -lhmtl\nCflags: -I{}\n",
        env!("CARGO_PKG_VERSION"),
        library.display(),
        include.display(),
    );
    fs::write(build.join("hmtl.pc"), description).unwrap();
    let header = fs::read(include.join("hmtl.h")).unwrap();
    let header: u64 = header.iter().fold(7, |h, &b| h.wrapping_mul(31).wrapping_add(b.into()));
    succeed(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&exe)
            .arg("./internal/conformance")
            .env("PKG_CONFIG_PATH", &build)
            // Go's cache does not look at what pkg-config says nor at headers.
            .env("CGO_LDFLAGS", format!("-L{}", library.display()))
            .env("CGO_CFLAGS", format!("-O2 -DHMTL_HEADER={header}"))
            .current_dir(root().join("bindings/go")),
    );
    run("go", || Process::start(&mut command(&exe)), Process::finish);
}

#[test]
fn python() {
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    if !works(Command::new(&python).args(["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]))
    {
        eprintln!("SKIPPED: needs Python 3.9 or later");
        return;
    }
    let start = || {
        let mut driver = command(&python);
        driver
            .arg(folder().join("driver.py"))
            .env("PYTHONPATH", root().join("bindings/python/src"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HMTL_LIBRARY", library().join("libhmtl.so"));
        Process::start(&mut driver)
    };
    run("python", start, Process::finish);
}

/// Where Cargo put libhmtl.so for this test run.
fn library() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance").join(name)
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|out| out.status.success())
}

fn succeed(command: &mut Command) {
    let out = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A compiler's command, with the header and the library.
fn linked<'a>(compiler: &'a mut Command, exe: &Path) -> &'a mut Command {
    fs::create_dir_all(exe.parent().unwrap()).unwrap();
    link_soname();
    compiler
        .arg("-I")
        .arg(root().join("include"))
        .arg("-L")
        .arg(library())
        .args(["-lhmtl", "-pthread", "-o"])
        .arg(exe)
}

/// The loader asks for the SONAME.
fn link_soname() {
    let soname = library().join(concat!("libhmtl.so.", env!("HMTL_ABI_VERSION")));
    if fs::read_link(&soname).is_err() {
        // Another test may have made it meanwhile.
        let _ = std::os::unix::fs::symlink("libhmtl.so", &soname);
    }
}

/// A driver's command, which finds the library and the shipped model.
fn command(exe: impl AsRef<std::ffi::OsStr>) -> Command {
    link_soname();
    let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let paths = std::iter::once(library()).chain(env::split_paths(&inherited));
    let mut command = Command::new(exe);
    command
        .env("LD_LIBRARY_PATH", env::join_paths(paths).unwrap())
        .env("HMTL_MODEL", root().join("models/default"));
    command
}
