//! The Lua that Redis has, for the scripts as they are sent.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use mlua::{Function, Lua, MultiValue, Table, Value};

use crate::redis::{Redis, Reply, number};

/// The keys of all servers, and whose `redis.call` uses them at the moment.
#[derive(Debug, Default)]
pub struct Stores {
    pub(crate) all: RefCell<Vec<Redis>>,
    pub(crate) current: Cell<usize>,
}

/// Lua.
#[derive(Debug)]
pub struct Host {
    lua: Lua,
    stores: Rc<Stores>,
}

impl Host {
    /// # Errors
    /// If Lua cannot be set up.
    pub fn new(stores: Rc<Stores>) -> mlua::Result<Self> {
        let lua = Lua::new();
        let api = lua.create_table()?;
        let (calling, trying) = (Rc::clone(&stores), Rc::clone(&stores));
        api.set(
            "call",
            lua.create_function(move |lua, words| match call(lua, &calling, words)? {
                Reply::Error(message) => Err(mlua::Error::runtime(message)),
                reply => to_lua(lua, reply),
            })?,
        )?;
        api.set("pcall", lua.create_function(move |lua, words| to_lua(lua, call(lua, &trying, words)?))?)?;
        lua.globals().set("redis", api)?;
        // As in Redis, a script must not use a global variable by mistake.
        let strict = "setmetatable(_G, {
            __index = function(_, name) error('nonexistent global variable ' .. tostring(name)) end,
            __newindex = function(_, name) error('global variable ' .. tostring(name)) end,
        })";
        lua.load(strict).exec()?;
        Ok(Self { lua, stores })
    }

    /// Reads a text, as `EVAL` does.
    ///
    /// # Errors
    /// If Lua does not take it.
    pub fn load(&self, text: &[u8]) -> mlua::Result<Function> {
        self.lua.load(text).set_name("script").into_function()
    }

    /// Runs a text, as `EVAL` does.
    ///
    /// # Errors
    /// If Lua does not take it.
    pub fn eval(&self, text: &[u8], keys: &[&[u8]], args: &[&[u8]]) -> mlua::Result<Reply> {
        self.run(&self.load(text)?, keys, args)
    }

    /// Runs what was read.
    ///
    /// # Errors
    /// If Lua does not take it.
    pub fn run(&self, script: &Function, keys: &[&[u8]], args: &[&[u8]]) -> mlua::Result<Reply> {
        let globals = self.lua.globals();
        for (name, words) in [("KEYS", keys), ("ARGV", args)] {
            let table = self.lua.create_table_with_capacity(words.len(), 0)?;
            for (at, word) in words.iter().enumerate() {
                table.raw_set(at + 1, self.lua.create_string(word)?)?;
            }
            globals.raw_set(name, table)?;
        }
        match script.call::<Value>(()) {
            Ok(value) => from_lua(value),
            Err(mlua::Error::CallbackError { cause, .. }) => match &*cause {
                mlua::Error::RuntimeError(message) => Ok(Reply::Error(message.clone())),
                other => Err(other.clone()),
            },
            Err(error) => Err(error),
        }
    }

    /// The keys that the scripts work on.
    pub fn with_redis<T>(&self, work: impl FnOnce(&mut Redis) -> T) -> T {
        work(&mut self.stores.all.borrow_mut()[self.stores.current.get()])
    }
}

impl Stores {
    /// Servers without keys.
    pub fn new(count: usize) -> Rc<Self> {
        let stores = Self::default();
        stores.all.borrow_mut().resize_with(count, Redis::default);
        Rc::new(stores)
    }
}

fn call(lua: &Lua, stores: &Stores, words: MultiValue) -> mlua::Result<Reply> {
    let mut strings = Vec::with_capacity(words.len());
    for word in words {
        strings.push(match word {
            Value::String(text) => text,
            Value::Integer(value) => lua.create_string(value.to_string())?,
            Value::Number(value) => lua.create_string(number(value))?,
            other => return Err(mlua::Error::runtime(format!("ERR a command takes no {}", other.type_name()))),
        });
    }
    let borrowed: Vec<_> = strings.iter().map(mlua::LuaString::as_bytes).collect();
    let words: Vec<&[u8]> = borrowed.iter().map(|word| &**word).collect();
    Ok(stores.all.borrow_mut()[stores.current.get()].command(&words))
}

/// The conversions of Redis: nil is false, a status and an error are tables.
fn to_lua(lua: &Lua, reply: Reply) -> mlua::Result<Value> {
    Ok(match reply {
        Reply::Nil => Value::Boolean(false),
        Reply::Int(value) => Value::Number(value as f64),
        Reply::Text(text) => Value::String(lua.create_string(text)?),
        Reply::Status(text) => Value::Table(lua.create_table_from([("ok", text)])?),
        Reply::Error(text) => Value::Table(lua.create_table_from([("err", text)])?),
        Reply::List(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (at, item) in items.into_iter().enumerate() {
                table.raw_set(at + 1, to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
    })
}

/// And back: a number loses its fraction, a table ends before its first nil.
fn from_lua(value: Value) -> mlua::Result<Reply> {
    Ok(match value {
        Value::String(text) => Reply::Text(text.as_bytes().to_vec()),
        Value::Integer(value) => Reply::Int(value),
        Value::Number(value) => Reply::Int(value as i64),
        Value::Boolean(true) => Reply::Int(1),
        Value::Table(table) => return table_from_lua(&table),
        _ => Reply::Nil,
    })
}

fn table_from_lua(table: &Table) -> mlua::Result<Reply> {
    if let Some(message) = table.raw_get::<Option<String>>("err")? {
        return Ok(Reply::Error(message));
    }
    if let Some(status) = table.raw_get::<Option<String>>("ok")? {
        return Ok(Reply::Status(status));
    }
    let mut items = Vec::new();
    loop {
        match table.raw_get::<Value>(items.len() + 1)? {
            Value::Nil => return Ok(Reply::List(items)),
            value => items.push(from_lua(value)?),
        }
    }
}
