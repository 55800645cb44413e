//! Sorted sets and hashes.

use super::{Answer, Entry, Hash, Redis, Reply, Scored, Value, WRONG_TYPE, float, integer, number};

impl Redis {
    /// The sorted set at `key`, an error if there is something else.
    pub(crate) fn sorted(&mut self, key: &[u8]) -> Option<Result<&mut Vec<Scored>, String>> {
        Some(match &mut self.live(key)?.value {
            Value::Sorted(members) => Ok(members),
            _ => Err(WRONG_TYPE.to_owned()),
        })
    }

    /// The hash at `key`.
    pub(super) fn hash(&mut self, key: &[u8]) -> Result<Option<&Hash>, String> {
        match self.live(key) {
            None => Ok(None),
            Some(Entry { value: Value::Hash(hash), .. }) => Ok(Some(hash)),
            Some(_) => Err(WRONG_TYPE.to_owned()),
        }
    }

    /// The hash at `key`, which is made if there is none.
    pub(super) fn hash_to_write(&mut self, key: &[u8]) -> Result<&mut Hash, String> {
        if self.live(key).is_none() {
            self.keys.insert(key.to_vec(), Entry { value: Value::Hash(Hash::new()), expires: None });
        }
        match self.live(key) {
            Some(Entry { value: Value::Hash(hash), .. }) => Ok(hash),
            _ => Err(WRONG_TYPE.to_owned()),
        }
    }

    pub(super) fn hset(&mut self, key: &[u8], pairs: &[&[u8]]) -> Answer {
        let hash = self.hash_to_write(key)?;
        let pairs = pairs.chunks_exact(2);
        let new = pairs.filter(|pair| hash.insert(pair[0].to_vec(), pair[1].to_vec()).is_none()).count();
        Ok(Reply::Int(new as i64))
    }

    pub(super) fn hincrby(&mut self, key: &[u8], field: &[u8], by: &[u8]) -> Answer {
        let by = integer(by)?;
        let hash = self.hash_to_write(key)?;
        let not_whole = |_| "ERR hash value is not an integer".to_owned();
        let before = hash.get(field).map_or(Ok(0), |value| integer(value).map_err(not_whole))?;
        let sum = before.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
        hash.insert(field.to_vec(), sum.to_string().into_bytes());
        Ok(Reply::Int(sum))
    }

    pub(super) fn zadd(&mut self, key: &[u8], score: &[u8], member: &[u8], only_new: bool) -> Answer {
        let score = float(score)?;
        if self.live(key).is_none() {
            self.keys.insert(key.to_vec(), Entry { value: Value::Sorted(Vec::new()), expires: None });
        }
        let Some(members) = self.sorted(key) else { return Ok(Reply::Nil) };
        let members = members?;
        let old = members.iter().position(|(_, name)| name == member);
        match old {
            Some(_) if only_new => return Ok(Reply::Int(0)),
            Some(at) => drop(members.remove(at)),
            None => {}
        }
        let at = members.partition_point(|(other, name)| (*other, name.as_slice()) < (score, member));
        members.insert(at, (score, member.to_vec()));
        Ok(Reply::Int(i64::from(old.is_none())))
    }

    pub(super) fn zrem(&mut self, key: &[u8], member: &[u8]) -> Answer {
        let Some(members) = self.sorted(key) else { return Ok(Reply::Int(0)) };
        let members = members?;
        let before = members.len();
        members.retain(|(_, name)| name != member);
        let (removed, empty) = (before - members.len(), members.is_empty());
        if empty {
            self.keys.remove(key);
        }
        Ok(Reply::Int(removed as i64))
    }

    pub(super) fn zpopmin(&mut self, key: &[u8]) -> Answer {
        let Some(members) = self.sorted(key) else { return Ok(Reply::List(Vec::new())) };
        let members = members?;
        let (score, name) = members.remove(0);
        if members.is_empty() {
            self.keys.remove(key);
        }
        Ok(Reply::List(vec![Reply::Text(name), Reply::Text(number(score).into_bytes())]))
    }

    pub(super) fn zrange(&mut self, key: &[u8], from: &[u8], to: &[u8]) -> Answer {
        let (from, to) = (integer(from)?, integer(to)?);
        let Some(members) = self.sorted(key) else { return Ok(Reply::List(Vec::new())) };
        let members = members?;
        let count = members.len() as i64;
        let [from, to] = [from, to].map(|at| if at < 0 { at + count } else { at });
        let chosen = (from.max(0)..=to.min(count - 1)).map(|at| Reply::Text(members[at as usize].1.clone()));
        Ok(Reply::List(chosen.collect()))
    }

    pub(super) fn zscore(&mut self, key: &[u8], member: &[u8]) -> Answer {
        let Some(members) = self.sorted(key) else { return Ok(Reply::Nil) };
        let found = members?.iter().find(|(_, name)| name == member);
        Ok(found.map_or(Reply::Nil, |(score, _)| Reply::Text(number(*score).into_bytes())))
    }

    pub(super) fn zcount(&mut self, key: &[u8], low: &[u8], high: &[u8]) -> Answer {
        let (low, high) = (float(low)?, float(high)?);
        let Some(members) = self.sorted(key) else { return Ok(Reply::Int(0)) };
        Ok(Reply::Int(members?.iter().filter(|(score, _)| low <= *score && *score <= high).count() as i64))
    }
}

pub(super) fn hash_field(hash: Option<&Hash>, field: &[u8]) -> Reply {
    hash.and_then(|hash| hash.get(field)).map_or(Reply::Nil, |value| Reply::Text(value.clone()))
}
