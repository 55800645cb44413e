//! Sorted sets and hashes.

use super::{Answer, Entry, Hash, NOT_WHOLE, Redis, Reply, Sorted, Value, WRONG_TYPE, parsed};

impl Redis {
    /// Runs a command on a collection, which is there at least while it runs: an empty one is none.
    pub(super) fn on_collection(&mut self, words: &[&[u8]]) -> Answer {
        let (key, new) = match words {
            [[b'Z', ..], key, ..] => (*key, Value::Sorted(Sorted::new())),
            [_, key, ..] => (*key, Value::Hash(Hash::new())),
            _ => return Err(unknown(words)),
        };
        let millis = self.millis();
        let there = self.keys.remove_entry(key).filter(|(_, entry)| entry.lives(millis));
        let (key, mut entry) = there.unwrap_or_else(|| (key.to_vec(), Entry { value: new, expires: None }));
        let answer = on(&mut entry.value, words);
        let is_empty = match &entry.value {
            Value::Sorted(members) => members.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Text(_) => false,
        };
        if !is_empty {
            self.keys.insert(key, entry);
        }
        answer
    }

    /// The sorted set at `key`, if there is one.
    pub(crate) fn sorted(&self, key: &[u8]) -> Option<&Sorted> {
        match &self.live(key)?.value {
            Value::Sorted(members) => Some(members),
            _ => None,
        }
    }
}

fn on(value: &mut Value, words: &[&[u8]]) -> Answer {
    const NO_FLOAT: &str = "value is not a valid float";
    Ok(match (words, value) {
        ([b"HGET", _, field], Value::Hash(hash)) => hash.get(*field).map_or(Reply::Nil, |value| Reply::text(&**value)),
        ([b"HSET", _, pairs @ ..], Value::Hash(hash)) => {
            let new = |pair: &&[&[u8]]| hash.insert(pair[0].to_vec(), pair[1].to_vec()).is_none();
            Reply::count(pairs.chunks_exact(2).filter(new).count())
        }
        ([b"HINCRBY", _, field, by], Value::Hash(hash)) => {
            let before = hash.get(*field).map_or(Ok(0), |value| parsed(value, "hash value is not an integer"))?;
            let sum = parsed::<i64>(by, NOT_WHOLE)?.checked_add(before);
            let sum = sum.ok_or("ERR increment or decrement would overflow")?;
            hash.insert(field.to_vec(), sum.to_string().into());
            Reply::Int(sum)
        }
        ([b"ZADD", _, only_new @ .., score, member], Value::Sorted(members)) => {
            let is_new = !members.contains_key(*member);
            if is_new || only_new.is_empty() {
                members.insert(member.to_vec(), parsed(score, NO_FLOAT)?);
            }
            Reply::count(usize::from(is_new))
        }
        ([b"ZREM", _, member], Value::Sorted(members)) => Reply::count(usize::from(members.remove(*member).is_some())),
        ([b"ZPOPMIN", _], Value::Sorted(members)) => {
            let first = in_order(members).first().map(|(member, score)| [member.to_vec(), score.to_string().into()]);
            members.retain(|member, _| first.as_ref().is_none_or(|first| *member != first[0]));
            Reply::List(first.into_iter().flatten().map(Reply::Text).collect())
        }
        ([b"ZRANGE", _, from, to], Value::Sorted(members)) => {
            let count = members.len() as i64;
            let place = |text| parsed(text, NOT_WHOLE).map(|at: i64| if at < 0 { at + count } else { at });
            let range = place(from)?..=place(to)?;
            let chosen = in_order(members).into_iter().zip(0..).filter(|(_, at)| range.contains(at));
            Reply::List(chosen.map(|((member, _), _)| Reply::text(member)).collect())
        }
        ([b"ZSCORE", _, member], Value::Sorted(members)) => {
            members.get(*member).map_or(Reply::Nil, |score| Reply::text(score.to_string()))
        }
        ([b"ZCARD", _], Value::Sorted(members)) => Reply::count(members.len()),
        ([b"ZCOUNT", _, low, high], Value::Sorted(members)) => {
            let range = parsed::<f64>(low, NO_FLOAT)?..=parsed(high, NO_FLOAT)?;
            Reply::count(members.values().filter(|score| range.contains(score)).count())
        }
        (
            [
                b"HGET" | b"HSET" | b"HINCRBY" | b"ZADD" | b"ZREM" | b"ZPOPMIN" | b"ZRANGE" | b"ZSCORE" | b"ZCARD"
                | b"ZCOUNT",
                ..,
            ],
            _,
        ) => {
            return Err(WRONG_TYPE.to_owned());
        }
        _ => return Err(unknown(words)),
    })
}

/// By score, then by member.
pub(crate) fn in_order(members: &Sorted) -> Vec<(&[u8], f64)> {
    let mut members = members.iter().map(|(member, score)| (&**member, *score)).collect::<Vec<_>>();
    members.sort_by(|one, other| one.1.total_cmp(&other.1));
    members
}

fn unknown(words: &[&[u8]]) -> String {
    let words = words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>();
    format!("ERR unknown command {words:?}: it is not in the subset")
}
