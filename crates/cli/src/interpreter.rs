//! Finding the Python to run the application with, and asking it whether it can.
//!
//! ```text
//!  --python ─► --virtualenv ─► $VIRTUAL_ENV ─► the environment that this program lies in ─► python3 on PATH
//! ```
//!
//! The first that is given, or exists, decides; one that is given and cannot be run is an error, not a reason to
//! look further.

use crate::{Error, VERSION};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use thalweg_options::Serve;

/// Where to look.
#[derive(Debug, Default)]
pub struct Search {
    /// `--python`: a path, or a name on PATH.
    pub python: Option<PathBuf>,
    /// `--virtualenv`.
    pub virtualenv: Option<PathBuf>,
    /// `$VIRTUAL_ENV`.
    pub active: Option<PathBuf>,
    /// This program's own file.
    pub program: Option<PathBuf>,
    /// `$PATH`.
    pub path: OsString,
}

impl Search {
    /// What the options and the environment of this process say.
    pub fn new(serve: &Serve) -> Self {
        Self {
            python: serve.python.clone(),
            virtualenv: serve.virtualenv.clone(),
            active: env::var_os("VIRTUAL_ENV")
                .filter(|value| !value.is_empty())
                .map(PathBuf::from),
            program: env::current_exe().ok(),
            path: env::var_os("PATH").unwrap_or_default(),
        }
    }

    /// The interpreter.
    ///
    /// # Errors
    /// When the one that is asked for cannot be run, or there is none.
    pub fn find(&self) -> Result<PathBuf, Error> {
        if let Some(python) = &self.python {
            return self.named(python);
        }
        if let Some(directory) = &self.virtualenv {
            return in_environment(directory, "--virtualenv");
        }
        if let Some(directory) = &self.active {
            return in_environment(directory, "$VIRTUAL_ENV");
        }
        if let Some(directory) = self.program.as_deref().and_then(environment_of) {
            return in_environment(directory, "this program's environment");
        }
        self.on_path(OsStr::new("python3")).ok_or_else(|| {
            Error::new(
                "no Python is found: there is no python3 on PATH; give --python or --virtualenv",
            )
        })
    }

    fn named(&self, python: &Path) -> Result<PathBuf, Error> {
        let is_bare_name = python.parent() == Some(Path::new(""));
        let found = if is_bare_name {
            self.on_path(python.as_os_str())
        } else {
            runnable(python).then(|| python.to_path_buf())
        };
        found.ok_or_else(|| {
            Error::new(format!(
                "--python '{}': there is no such program, or it may not be run by this user",
                python.display()
            ))
        })
    }

    fn on_path(&self, name: &OsStr) -> Option<PathBuf> {
        env::split_paths(&self.path)
            .map(|directory| directory.join(name))
            .find(|candidate| runnable(candidate))
    }
}

fn in_environment(directory: &Path, asked_by: &str) -> Result<PathBuf, Error> {
    let python = directory.join("bin/python");
    if runnable(&python) {
        return Ok(python);
    }
    Err(Error::new(format!(
        "{asked_by} '{}': {} cannot be run; the environment is missing, or out of this user's reach",
        directory.display(),
        python.display(),
    )))
}

/// The virtual environment that has this program in its bin directory. One that this user may not look into counts:
/// running in another one instead would be a surprise.
fn environment_of(program: &Path) -> Option<&Path> {
    let directory = program.parent()?.parent()?;
    match std::fs::metadata(directory.join("pyvenv.cfg")) {
        Ok(_) => Some(directory),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Some(directory),
        Err(_) => None,
    }
}

fn runnable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Makes sure that this interpreter has our package, of this version.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn check(python: &Path) -> Result<(), Error> {
    const ASK: &str = "import sys, thalweg; sys.stdout.write(thalweg.__version__)";
    let answer = Command::new(python)
        .args(["-c", ASK])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::new(format!("{} cannot be run: {error}", python.display())))?;
    let install = format!(
        "install it with: {} -m pip install thalweg=={VERSION}",
        python.display()
    );
    if !answer.status.success() {
        let told = String::from_utf8_lossy(&answer.stderr);
        let reason = told
            .trim_end()
            .lines()
            .next_back()
            .unwrap_or("it says nothing");
        return Err(Error::new(format!(
            "{} has no usable package thalweg ({reason}); {install}",
            python.display()
        )));
    }
    let found = String::from_utf8_lossy(&answer.stdout);
    if found != VERSION {
        return Err(Error::new(format!(
            "this program is thalweg {VERSION}, but {} has the package thalweg {found}; {install}",
            python.display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A folder with files that may be run, gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = env::temp_dir().join(format!(
                "thalweg-interpreter-{}-{number}",
                std::process::id()
            ));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn program(&self, name: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn the_first_that_is_given_decides() {
        let folder = Folder::new();
        let chosen = folder.program("chosen");
        let environment = folder.program("venv/bin/python");
        let active = folder.program("active/bin/python");
        let own = folder.program("own/bin/python");
        fs::write(folder.0.join("own/pyvenv.cfg"), "").unwrap();
        let on_path = folder.program("path/python3");
        let mut search = Search {
            python: Some(chosen.clone()),
            virtualenv: Some(folder.0.join("venv")),
            active: Some(folder.0.join("active")),
            program: Some(folder.0.join("own/bin/thalweg")),
            path: folder.0.join("path").into_os_string(),
        };
        assert_eq!(search.find().unwrap(), chosen);
        search.python = None;
        assert_eq!(search.find().unwrap(), environment);
        search.virtualenv = None;
        assert_eq!(search.find().unwrap(), active);
        search.active = None;
        assert_eq!(search.find().unwrap(), own);
        search.program = Some(folder.0.join("elsewhere/thalweg"));
        assert_eq!(search.find().unwrap(), on_path);
        search.path = OsString::new();
        assert!(
            search
                .find()
                .unwrap_err()
                .to_string()
                .contains("no python3 on PATH")
        );
    }

    #[test]
    fn what_is_asked_for_and_cannot_be_run_is_an_error() {
        let folder = Folder::new();
        folder.program("path/python3");
        let plain = folder.0.join("plain");
        fs::write(&plain, "").unwrap();
        let path = folder.0.join("path").into_os_string();
        for python in [
            plain,
            folder.0.join("absent"),
            "absent".into(),
            folder.0.clone(),
        ] {
            let search = Search {
                python: Some(python),
                path: path.clone(),
                ..Search::default()
            };
            assert!(
                search
                    .find()
                    .unwrap_err()
                    .to_string()
                    .starts_with("--python '")
            );
        }
        let search = Search {
            active: Some(folder.0.join("gone")),
            path,
            ..Search::default()
        };
        assert!(
            search
                .find()
                .unwrap_err()
                .to_string()
                .starts_with("$VIRTUAL_ENV '")
        );
    }

    #[test]
    fn a_bare_name_is_looked_up_on_path() {
        let folder = Folder::new();
        let python = folder.program("pypy");
        let search = Search {
            python: Some("pypy".into()),
            path: folder.0.clone().into_os_string(),
            ..Search::default()
        };
        assert_eq!(search.find().unwrap(), python);
    }
}
