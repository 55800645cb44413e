//! The Lua that Redis has, for the scripts as they are sent.

use mlua::{Error, FromLua, Function, IntoLua, Lua, MultiValue, Value};

use crate::redis::{Redis, Reply};

/// Lua.
#[derive(Debug)]
pub struct Host(Lua);

impl Host {
    /// # Errors
    /// If Lua cannot be set up.
    pub fn new() -> mlua::Result<Self> {
        let lua = Lua::new();
        let raise = |lua: &Lua, words| match call(lua, words)? {
            Reply::Error(message) => Err(Error::runtime(message)),
            reply => Ok(reply),
        };
        let api = [("call", lua.create_function(raise)?), ("pcall", lua.create_function(call)?)];
        lua.globals().set("redis", lua.create_table_from(api)?)?;
        // As in Redis, a script must not use a global variable by mistake.
        let strict = "setmetatable(_G, {
            __index = function(_, name) error('nonexistent global variable ' .. tostring(name)) end,
            __newindex = function(_, name) error('global variable ' .. tostring(name)) end,
        })";
        lua.load(strict).exec()?;
        Ok(Self(lua))
    }

    /// Reads a text and runs it at a server, as `EVAL` does.
    ///
    /// # Errors
    /// If Lua does not take it.
    pub fn eval(&self, redis: &mut Redis, text: &[u8], keys: &[&[u8]], args: &[&[u8]]) -> mlua::Result<Reply> {
        self.run(redis, &self.load(text)?, keys, args)
    }

    pub(crate) fn load(&self, text: &[u8]) -> mlua::Result<Function> {
        self.0.load(text).set_name("script").into_function()
    }

    /// Runs what was read.
    pub(crate) fn run(
        &self,
        redis: &mut Redis,
        script: &Function,
        keys: &[&[u8]],
        args: &[&[u8]],
    ) -> mlua::Result<Reply> {
        for (name, words) in [("KEYS", keys), ("ARGV", args)] {
            let words = words.iter().map(|word| self.0.create_string(word)).collect::<mlua::Result<Vec<_>>>()?;
            self.0.globals().raw_set(name, words)?;
        }
        self.0.set_app_data(std::mem::take(redis));
        let reply = script.call(());
        *redis = self.0.remove_app_data().expect("nobody takes it away");
        match reply {
            Err(Error::CallbackError { cause, .. }) => match &*cause {
                Error::RuntimeError(message) => Ok(Reply::error(message)),
                other => Err(other.clone()),
            },
            reply => reply,
        }
    }
}

/// A command of the script that runs, at the server at which it runs.
fn call(lua: &Lua, words: MultiValue) -> mlua::Result<Reply> {
    let texts = words.into_iter().map(|word| match word {
        Value::String(text) => Ok(text),
        Value::Integer(number) => lua.create_string(number.to_string()),
        other => Err(Error::runtime(format!("ERR a command takes no {other:?}"))),
    });
    let texts = texts.collect::<mlua::Result<Vec<_>>>()?;
    let texts = texts.iter().map(mlua::LuaString::as_bytes).collect::<Vec<_>>();
    let words = texts.iter().map(|text| &**text).collect::<Vec<_>>();
    Ok(lua.app_data_mut::<Redis>().expect("a script runs at a server").command(&words))
}

/// The conversions of Redis: nil is false, a status and an error are tables.
impl IntoLua for Reply {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        match self {
            Self::Nil => false.into_lua(lua),
            Self::Int(number) => number.into_lua(lua),
            Self::Text(text) => lua.create_string(text)?.into_lua(lua),
            Self::Status(text) => lua.create_table_from([("ok", text)])?.into_lua(lua),
            Self::Error(text) => lua.create_table_from([("err", text)])?.into_lua(lua),
            Self::List(items) | Self::Push(items) => items.into_lua(lua),
        }
    }
}

/// And back: a number loses its fraction, a table ends before its first nil.
impl FromLua for Reply {
    fn from_lua(value: Value, _: &Lua) -> mlua::Result<Self> {
        Ok(match value {
            Value::String(text) => Self::text(&*text.as_bytes()),
            Value::Integer(number) => Self::Int(number),
            Value::Number(number) => Self::Int(number as i64),
            Value::Boolean(true) => Self::Int(1),
            Value::Table(table) => match (table.raw_get("err")?, table.raw_get("ok")?) {
                (Some(message), _) => Self::Error(message),
                (None, Some(status)) => Self::Status(status),
                (None, None) => Self::List(table.sequence_values().collect::<mlua::Result<_>>()?),
            },
            _ => Self::Nil,
        })
    }
}
