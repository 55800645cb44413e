//! Copies the text of the gate from the runtime: as it is, and once for each [`weakness`](src/weakness.rs). To each copy
//! probes are added, by which a check looks inside.

#[expect(dead_code, unreachable_pub, reason = "the library tells more of them")]
#[path = "src/weakness.rs"]
mod weakness;

use std::{env, error::Error, fmt::Write, fs, path::Path};

use weakness::{ALL, FEW_SHARDS, File, Weakness};

const GATE: &str = "../../dlock-runtime/src/local/queue/mod.rs";
const PLACE: &str = "../../dlock-runtime/src/local/queue/baton.rs";
const LINE: &str = "../../dlock-runtime/src/local/queue/line.rs";
const QUEUE: &str = "../../dlock-runtime/src/local/queue/waiters.rs";
const PROBE: &str = "src/probe.rs";
const PROBE_OF_A_PLACE: &str = "src/probe_place.rs";

fn main() -> Result<(), Box<dyn Error>> {
    for input in [GATE, PLACE, LINE, QUEUE, PROBE, PROBE_OF_A_PLACE, "src/weakness.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let read = |path| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    // Its own tests stay where they are.
    let gate = read(GATE)?.replace("#[cfg(test)]\nmod tests;\n", "") + "\n" + &read(PROBE)?;
    let as_it_is =
        Texts { gate, place: read(PLACE)? + "\n" + &read(PROBE_OF_A_PLACE)?, line: read(LINE)?, queue: read(QUEUE)? };
    let (here, out) = (env::var("CARGO_MANIFEST_DIR")?, env::var("OUT_DIR")?);
    let mut copies = String::new();
    let mut copy = |name: &str, texts: &Texts| -> Result<(), Box<dyn Error>> {
        let folder = Path::new(&out).join(name);
        fs::create_dir_all(&folder)?;
        let path = folder.join("gate.rs");
        fs::write(&path, &texts.gate)?;
        // Where a module that is named by its path looks for its own modules.
        fs::write(folder.join("baton.rs"), &texts.place)?;
        fs::write(folder.join("line.rs"), &texts.line)?;
        fs::write(folder.join("waiters.rs"), &texts.queue)?;
        let scenarios = Path::new(&here).join("src/scenarios/mod.rs");
        writeln!(copies, "pub(crate) mod {name} {{")?;
        writeln!(copies, "    #[path = {path:?}] pub(crate) mod gate;")?;
        writeln!(copies, "    #[path = {scenarios:?}] pub(crate) mod scenarios;")?;
        writeln!(copies, "}}")?;
        Ok(())
    };
    copy("as_it_is", &as_it_is)?;
    // Where there are fewer steps, fewer orders tell more.
    let few_shards = as_it_is.patched(&FEW_SHARDS)?;
    copy("few_shards", &few_shards)?;
    for weakness in ALL {
        copy(weakness.name, &few_shards.patched(weakness)?)?;
    }
    writeln!(copies, "pub(crate) const WEAKENED: &[&[crate::Scenario]] = &[")?;
    for Weakness { name, .. } in ALL {
        writeln!(copies, "    {name}::scenarios::ALL,")?;
    }
    writeln!(copies, "];")?;
    fs::write(Path::new(&out).join("copies.rs"), copies)?;
    Ok(())
}

/// The files of the gate.
#[derive(Clone)]
struct Texts {
    gate: String,
    place: String,
    line: String,
    queue: String,
}

impl Texts {
    /// What was to be weakened must be there, and once.
    fn patched(&self, weakness: &Weakness) -> Result<Self, String> {
        let Weakness { name, file, text: strong, instead, .. } = weakness;
        let mut patched = self.clone();
        let text = match file {
            File::Gate => &mut patched.gate,
            File::Place => &mut patched.place,
            File::Line => &mut patched.line,
            File::Queue => &mut patched.queue,
        };
        match text.matches(strong).count() {
            1 => *text = text.replacen(strong, instead, 1),
            count => {
                return Err(format!(
                    "the text of the weakness `{name}` stands in the gate {count} times, and not once"
                ));
            }
        }
        Ok(patched)
    }
}
