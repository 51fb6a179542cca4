//! The program that runs, as it was started: what is at that place now is its successor.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program with its arguments.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
}

impl Program {
    /// This one. To be asked before the file may have been replaced.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn current() -> io::Result<Self> {
        let mut args = env::args_os();
        let name = args.next().unwrap_or_default();
        Ok(Self { path: place(&name)?, args: args.collect() })
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.args);
        command
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Where a program is that was called like that. Links are not followed: another version may be behind them by then.
fn place(name: &OsStr) -> io::Result<PathBuf> {
    if Path::new(name).components().count() > 1 {
        return std::path::absolute(name);
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.map_or_else(env::current_exe, std::path::absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_as_it_is_and_a_name_is_looked_up() {
        assert_eq!(place(OsStr::new("/opt/current/tollgate")).unwrap(), Path::new("/opt/current/tollgate"));
        assert_eq!(place(OsStr::new("./tollgate")).unwrap(), env::current_dir().unwrap().join("tollgate"));
        assert!(place(OsStr::new("sh")).unwrap().ends_with("bin/sh"));
        assert_eq!(place(OsStr::new("no-such-program")).unwrap(), env::current_exe().unwrap());
    }
}
