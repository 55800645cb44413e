//! Copies the text of the gate from the runtime: as it is, and once for each [`weakness`](src/weakness.rs). To each copy
//! probes are added, by which a check looks inside.

#[expect(dead_code, unreachable_pub, reason = "the library tells more of them")]
#[path = "src/weakness.rs"]
mod weakness;

use std::{env, error::Error, fmt::Write, fs, path::Path};

use weakness::{ALL, FEW_SHARDS, Weakness};

const GATE: &str = "../../dlock-runtime/src/gate.rs";
const PLACE: &str = "../../dlock-runtime/src/gate/place.rs";
const PROBE: &str = "src/probe.rs";
const PROBE_OF_A_PLACE: &str = "src/probe_place.rs";

fn main() -> Result<(), Box<dyn Error>> {
    for input in [GATE, PLACE, PROBE, PROBE_OF_A_PLACE, "src/weakness.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let [gate, place, probe, probe_of_a_place] = [GATE, PLACE, PROBE, PROBE_OF_A_PLACE]
        .map(|path| fs::read_to_string(path).map_err(|error| format!("{path}: {error}")));
    let (gate, place, probe, probe_of_a_place) = (gate?, place?, probe?, probe_of_a_place?);
    // Its own tests stay where they are.
    let gate = gate.replace("#[cfg(test)]\nmod tests;\n", "");
    let (here, out) = (env::var("CARGO_MANIFEST_DIR")?, env::var("OUT_DIR")?);
    let mut copies = String::new();
    let mut copy = |name: &str, gate: &str, place: &str| -> Result<(), Box<dyn Error>> {
        let folder = Path::new(&out).join(name);
        fs::create_dir_all(&folder)?;
        let path = folder.join("gate.rs");
        fs::write(&path, format!("{gate}\n{probe}"))?;
        // Where a module that is named by its path looks for its own modules.
        fs::write(folder.join("place.rs"), format!("{place}\n{probe_of_a_place}"))?;
        let scenarios = Path::new(&here).join("src/scenarios/mod.rs");
        writeln!(copies, "pub(crate) mod {name} {{")?;
        writeln!(copies, "    #[path = {path:?}] pub(crate) mod gate;")?;
        writeln!(copies, "    #[path = {scenarios:?}] pub(crate) mod scenarios;")?;
        writeln!(copies, "}}")?;
        Ok(())
    };
    copy("as_it_is", &gate, &place)?;
    // Where there are fewer steps, fewer orders tell more.
    let gate = patched(&gate, &FEW_SHARDS)?;
    copy("few_shards", &gate, &place)?;
    for weakness in ALL {
        let (gate, place) = if weakness.in_place {
            (gate.clone(), patched(&place, weakness)?)
        } else {
            (patched(&gate, weakness)?, place.clone())
        };
        copy(weakness.name, &gate, &place)?;
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
fn patched(text: &str, weakness: &Weakness) -> Result<String, String> {
    let Weakness { name, text: strong, instead, .. } = weakness;
    match text.matches(strong).count() {
        1 => Ok(text.replacen(strong, instead, 1)),
        count => Err(format!("the text of the weakness `{name}` stands in the gate {count} times, and not once")),
    }
}
