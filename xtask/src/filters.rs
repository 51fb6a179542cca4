//! `cargo xtask filters`: every guest of the workspace, or one filter project anywhere (`--path`).

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::guests::{self, Group};
use crate::workspace::Workspace;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let workspace = Workspace::own()?;
    match parse(args)? {
        Some(Project { dir, target }) => {
            for module in guests::build_project(&workspace, &dir, target.as_deref())? {
                println!("{}", module.display());
            }
        }
        None => guests::build(&workspace, &[Group::FILTERS, Group::GUESTS, Group::EXAMPLES])?,
    }
    Ok(())
}

struct Project {
    dir: PathBuf,
    target: Option<String>,
}

fn parse(args: &[String]) -> Result<Option<Project>> {
    let (mut dir, mut target) = (None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let slot = match arg.as_str() {
            "--path" => &mut dir,
            "--target" => &mut target,
            other => bail!("`filters` knows --path DIR and --target TRIPLE, not `{other}`"),
        };
        *slot = Some(args.next().with_context(|| format!("`{arg}` needs a value"))?.clone());
    }
    match (dir, target) {
        (Some(dir), target) => Ok(Some(Project { dir: dir.into(), target })),
        (None, Some(_)) => bail!("`--target` is for one project: give its folder with --path DIR"),
        (None, None) => Ok(None),
    }
}
