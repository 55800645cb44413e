//! The crates to compile, and the compiling.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use dlock_benches::{Outcome, folder};

use crate::functions::{Side, source};

/// A workspace of three crates, whose dependencies are built.
pub(crate) struct Workspace(PathBuf);

/// What compiling one crate took.
pub(crate) struct Took {
    pub(crate) wall: Duration,
    /// Of cargo and of the compilers that it started.
    pub(crate) processor: Duration,
}

impl Workspace {
    pub(crate) fn create(functions: usize) -> Outcome<Self> {
        let root = folder()?.join("compile_times");
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("the root of this workspace")?;
        fs::create_dir_all(&root)?;
        let members: Vec<&str> = Side::ALL.map(Side::name).into();
        fs::write(root.join("Cargo.toml"), format!("[workspace]\nmembers = {members:?}\nresolver = \"3\"\n"))?;
        // The versions that are tested here, which are also the ones that are already downloaded.
        fs::copy(ours.join("Cargo.lock"), root.join("Cargo.lock"))?;
        let runtime = ours.join("dlock-runtime");
        for side in Side::ALL {
            let member = root.join(side.name());
            fs::create_dir_all(member.join("src"))?;
            let manifest = format!(
                "[package]\nname = {:?}\nedition = \"2024\"\n\n[dependencies]\ndlock-runtime = {{ path = {runtime:?} }}\n",
                side.name()
            );
            fs::write(member.join("Cargo.toml"), manifest)?;
            fs::write(member.join("src/lib.rs"), source(side, functions))?;
        }
        let workspace = Self(root);
        for verb in ["check", "build"] {
            workspace.cargo(&[verb, "--workspace"])?;
        }
        Ok(workspace)
    }

    /// Compiles one crate anew.
    pub(crate) fn compile(&self, side: Side, verb: &str) -> Outcome<Took> {
        // Cargo goes by the time of the file.
        let file = self.0.join(side.name()).join("src/lib.rs");
        fs::write(&file, fs::read(&file)?)?;
        let (began, before) = (Instant::now(), childrens_time()?);
        self.cargo(&[verb, "--package", side.name()])?;
        Ok(Took { wall: began.elapsed(), processor: childrens_time()?.saturating_sub(before) })
    }

    fn cargo(&self, words: &[&str]) -> Outcome<()> {
        let mut cargo = Command::new(env!("CARGO"));
        // What would change how it compiles, or where to.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(name);
        }
        let output = cargo
            .args(words)
            .args(["--offline", "--quiet"])
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .env("CARGO_INCREMENTAL", "0")
            .stdout(Stdio::null())
            .output()?;
        if output.status.success() {
            Ok(())
        } else {
            // One mistake in a shape is told for each of its functions.
            let errors: String = String::from_utf8_lossy(&output.stderr).chars().take(2000).collect();
            Err(format!("cargo {}: {errors}", words.join(" ")).into())
        }
    }
}

/// The processor's time of all processes that this one has waited for, and of theirs, in steps of 10 ms.
fn childrens_time() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(')').ok_or("a line without a name")?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}
