//! Every row of the table, by the words of the servers.

use redis::RedisError;

use super::*;

/// The class of an error as a server sends it.
fn class_of(line: &str) -> Class {
    let (code, detail) = line.split_once(' ').unwrap_or((line, ""));
    classify(&redis::make_extension_error(code.to_owned(), Some(detail.to_owned())))
}

/// The words are those of the sources of Redis 6.2, 7.0, 8.2 and Valkey 9.1, and what they said when asked.
const SAID: &[(&str, Class)] = &[
    ("LOADING Redis is loading the dataset in memory", Class::Passing),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Class::Passing),
    ("BUSY Redis is busy running a module command.", Class::Passing),
    ("ERR Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Class::Passing),
    ("TRYAGAIN Multiple keys request during rehashing of slot", Class::Passing),
    ("CLUSTERDOWN Hash slot not served", Class::Passing),
    ("CLUSTERDOWN The cluster is down", Class::Passing),
    ("MOVED 3999 127.0.0.1:6381", Class::Passing),
    ("ASK 3999 127.0.0.1:6381", Class::Passing),
    ("NOSCRIPT No matching script. Please use EVAL.", Class::Passing),
    ("ERR max number of clients reached", Class::Passing),
    ("ERR max number of clients + cluster connections reached", Class::Passing),
    (
        "ERR Error running script (call to f_0): @user_script:1: Script killed by user with SCRIPT KILL...",
        Class::Passing,
    ),
    (
        "ERR Error running script (call to f_0): @user_script:1: Lua script attempted to execute a write command while \
         the cluster is down and readonly",
        Class::Passing,
    ),
    (
        "ERR Error running script (call to f_0): @user_script:1: Lua script attempted to execute a command while the \
         cluster is down",
        Class::Passing,
    ),
    ("READONLY You can't write against a read only replica.", Class::NotTheMaster),
    ("READONLY You can't write against a read only replica. script: 0, on @user_script:4.", Class::NotTheMaster),
    ("READONLY Can not run script with write flag on readonly replica", Class::NotTheMaster),
    (
        "ERR Error running script (call to f_0): @user_script:4: -READONLY You can't write against a read only replica.",
        Class::NotTheMaster,
    ),
    ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Class::NotTheMaster),
    (
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        Class::NotTheMaster,
    ),
    ("REDIRECT 127.0.0.1:6380", Class::NotTheMaster),
    ("NOAUTH Authentication required.", Class::NotLetIn),
    ("WRONGPASS invalid username-password pair or user is disabled.", Class::NotLetIn),
    ("DENIED Redis is running in protected mode because protected mode is enabled", Class::NotLetIn),
    ("ERR operation not permitted", Class::NotLetIn),
    ("ERR invalid password", Class::NotLetIn),
    ("ERR AUTH <password> called without any password configured for the default user.", Class::NotLetIn),
    ("OOM command not allowed when used memory > 'maxmemory'.", Class::ForAWhile),
    ("ERR Error running script (call to f_0): @user_script:1: -OOM command not allowed", Class::ForAWhile),
    ("NOREPLICAS Not enough good replicas to write.", Class::ForAWhile),
    ("ERR Error running script (call to f_0): @user_script:1: -NOREPLICAS Not enough", Class::ForAWhile),
    ("MISCONF Errors writing to the AOF file: No space left on device", Class::ForAWhile),
    ("ERR Error running script (call to f_0): @user_script:1: -MISCONF Redis is configured", Class::ForAWhile),
    ("NOPERM this user has no permissions to run the 'eval' command or its subcommand", Class::SetUp),
    ("NOPERM User app has no permissions to access database 3", Class::SetUp),
    (
        "ERR Error running script (call to f_0): @user_script:8: The user executing the script can't run this command or \
         subcommand",
        Class::SetUp,
    ),
    ("ERR The user executing the script can't access at least one of the keys", Class::SetUp),
    ("ERR ACL failure in script: User limited has no permissions to run the 'set' command", Class::SetUp),
    ("ERR This user has no permissions to run the 'set' command script: 0, on @user_script:1.", Class::SetUp),
    ("CROSSSLOT Keys in request don't hash to the same slot", Class::SetUp),
    ("ERR Command 'set' in script attempted to access keys that don't hash to the same slot", Class::SetUp),
    ("ERR Lua script attempted to access a non local key in a cluster node", Class::SetUp),
    ("NOPROTO unsupported protocol version", Class::SetUp),
    ("ERR unknown command 'EVALSHA', with args beginning with: ", Class::SetUp),
    ("ERR unknown subcommand 'NUMSUB'. Try PUBSUB HELP.", Class::SetUp),
    ("ERR Unknown Redis command called from script script: 0, on @user_script:1.", Class::SetUp),
    ("ERR Unknown command called from script script: 0, on @user_script:1.", Class::SetUp),
    ("ERR Error running script: Unknown Redis command called from Lua script", Class::SetUp),
    ("ERR This Redis command is not allowed from script", Class::SetUp),
    ("ERR This Valkey command is not allowed from script", Class::SetUp),
    ("ERR wrong number of arguments for 'eval' command", Class::SetUp),
    ("ERR Wrong number of args calling command from script", Class::SetUp),
    ("ERR syntax error", Class::SetUp),
    ("ERR value is not an integer or out of range", Class::SetUp),
    ("ERR invalid expire time in 'set' command", Class::SetUp),
    ("ERR Error compiling script (new function): user_script:1: unexpected symbol", Class::SetUp),
    ("ERR DB index is out of range", Class::SetUp),
    ("ERR invalid DB index", Class::SetUp),
    ("ERR SELECT is not allowed in cluster mode", Class::SetUp),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", Class::WrongType),
    (
        "WRONGTYPE Operation against a key holding the wrong kind of value script: 0, on @user_script:1.",
        Class::WrongType,
    ),
    ("ERR Error running script (call to f_0): @user_script:1: WRONGTYPE Operation against a key", Class::WrongType),
    // A proxy's own words, and what nobody has said yet.
    ("ERR upstream failure", Class::Unknown),
    ("ERR Proxy: no route to a backend", Class::Unknown),
    ("upstream connect error", Class::Unknown),
    ("NEWCODE of a server to come", Class::Unknown),
    ("ERR", Class::Unknown),
];

#[test]
fn every_error_of_the_servers_has_its_class() {
    for &(line, class) in SAID {
        assert_eq!(class_of(line), class, "{line}");
    }
}

#[test]
fn every_row_of_the_table_is_met() {
    for (code, class) in CODES {
        assert!(
            SAID.contains(&(SAID.iter().find(|(line, _)| line.starts_with(code)).expect(code).0, *class)),
            "{code}"
        );
    }
    for (text, class) in TEXTS {
        let met = SAID.iter().any(|(line, said)| line.starts_with("ERR ") && line.contains(text) && said == class);
        assert!(met, "{text}");
    }
}

#[test]
fn a_connection_that_broke_says_nothing_of_its_request_unless_it_was_never_made() {
    let broken = classify(&RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe)));
    assert!(broken.spoils_connection());
    assert_eq!(broken.fate(true), Fate::Unknown);
    assert_eq!(of_connecting(broken, true), Fate::NotYet, "what was never sent did not happen");
}

#[test]
fn an_error_that_is_not_in_the_table_leaves_it_open_and_the_connection_in_service() {
    assert_eq!(class_of("ERR upstream failure").fate(true), Fate::Unknown);
    assert!(!class_of("ERR upstream failure").spoils_connection());
}

#[test]
fn who_was_let_in_once_is_not_set_up_wrongly() {
    for line in ["NOAUTH Authentication required.", "WRONGPASS invalid username-password pair"] {
        assert_eq!(class_of(line).fate(false), Fate::Refused, "{line}");
        assert_eq!(class_of(line).fate(true), Fate::NotYet, "{line}");
        assert!(class_of(line).spoils_connection(), "another connection may be let in: {line}");
    }
    let refused = class_of("ERR DB index is out of range");
    assert_eq!(of_connecting(refused, false), Fate::Refused);
    assert_eq!(of_connecting(refused, true), Fate::NotYet);
}

#[test]
fn a_server_that_is_not_the_master_takes_its_connection_out_of_service_in_any_disguise() {
    for (line, _) in SAID.iter().filter(|(line, _)| line.contains("READONLY")) {
        assert!(class_of(line).spoils_connection(), "{line}");
        assert_eq!(class_of(line).fate(true), Fate::NotYet, "{line}");
    }
}
