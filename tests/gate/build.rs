//! Copies the local queue from the runtime: as it is, and once for each [`weakness`](src/weakness.rs). To each copy probes
//! are added, by which a check looks inside.

#[expect(dead_code, unreachable_pub, reason = "the library tells more of them")]
#[path = "src/weakness.rs"]
mod weakness;

use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, path::Path};

use weakness::{ALL, FEW_SHARDS, Weakness};

/// The folder that is copied, and its files.
const FOLDER: &str = "../../dlock-runtime/src/local/queue";
const FILES: [&str; 8] =
    ["mod.rs", "baton.rs", "local_queue.rs", "notifications.rs", "parking.rs", "timeouts.rs", "wait.rs", "waiters.rs"];
/// What is added to which file.
const PROBES: [(&str, &str); 2] = [("mod.rs", "src/probe.rs"), ("baton.rs", "src/probe_baton.rs")];

/// The texts of the files.
type Texts = BTreeMap<&'static str, String>;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-changed=src");
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let mut as_it_is = Texts::new();
    for file in FILES {
        // Its own tests stay where they are.
        let text = read(&format!("{FOLDER}/{file}"))?.replace("#[cfg(test)]\nmod tests;\n", "");
        as_it_is.insert(file, text);
    }
    for (file, probe) in PROBES {
        let text = as_it_is.get_mut(file).ok_or("a file that is probed")?;
        *text = format!("{text}\n{}", read(probe)?);
    }
    let (here, out) = (env::var("CARGO_MANIFEST_DIR")?, env::var("OUT_DIR")?);
    let mut copies = String::new();
    let mut copy = |name: &str, texts: &Texts| -> Result<(), Box<dyn Error>> {
        let folder = Path::new(&out).join(name);
        fs::create_dir_all(&folder)?;
        for (file, text) in texts {
            fs::write(folder.join(file), text)?;
        }
        let queue = folder.join("mod.rs");
        let scenarios = Path::new(&here).join("src/scenarios/mod.rs");
        writeln!(copies, "pub(crate) mod {name} {{")?;
        writeln!(copies, "    #[path = {queue:?}] pub(crate) mod queue;")?;
        writeln!(copies, "    #[path = {scenarios:?}] pub(crate) mod scenarios;")?;
        writeln!(copies, "}}")?;
        Ok(())
    };
    copy("as_it_is", &as_it_is)?;
    // Where there are fewer steps, fewer orders tell more.
    let few_shards = patched(&as_it_is, &FEW_SHARDS)?;
    copy("few_shards", &few_shards)?;
    for weakness in ALL {
        copy(weakness.name, &patched(&few_shards, weakness)?)?;
    }
    writeln!(copies, "pub(crate) const WEAKENED: &[&[crate::Scenario]] = &[")?;
    for Weakness { name, .. } in ALL {
        writeln!(copies, "    {name}::scenarios::ALL,")?;
    }
    writeln!(copies, "];")?;
    fs::write(Path::new(&out).join("copies.rs"), copies)?;
    Ok(())
}

/// What was to be weakened must be there, and once.
fn patched(texts: &Texts, weakness: &Weakness) -> Result<Texts, String> {
    let Weakness { name, file, text: strong, instead, .. } = weakness;
    let mut patched = texts.clone();
    let text = patched.get_mut(file).ok_or_else(|| format!("the weakness `{name}` is in no file that is copied"))?;
    match text.matches(strong).count() {
        1 => *text = text.replacen(strong, instead, 1),
        count => {
            return Err(format!("the text of the weakness `{name}` stands in {file} {count} times, and not once"));
        }
    }
    Ok(patched)
}
