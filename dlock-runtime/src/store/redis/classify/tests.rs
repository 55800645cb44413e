//! Every row of the table, by the words of the servers.

use redis::RedisError;

use super::*;

/// The class of an error as a server sends it.
fn class_of(line: &str) -> Fault {
    let (code, detail) = line.split_once(' ').unwrap_or((line, ""));
    classify(&redis::make_extension_error(code.to_owned(), Some(detail.to_owned())))
}

/// The words are those of the sources of Redis 6.2, 7.0, 8.2 and Valkey 9.1, and what they said when asked.
const SAID: &[(&str, Fault)] = &[
    ("LOADING Redis is loading the dataset in memory", Fault::Transient),
    ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Fault::Transient),
    ("BUSY Redis is busy running a module command.", Fault::Transient),
    ("ERR Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Fault::Transient),
    ("TRYAGAIN Multiple keys request during rehashing of slot", Fault::Transient),
    ("CLUSTERDOWN Hash slot not served", Fault::Transient),
    ("CLUSTERDOWN The cluster is down", Fault::Transient),
    ("MOVED 3999 127.0.0.1:6381", Fault::Transient),
    ("ASK 3999 127.0.0.1:6381", Fault::Transient),
    ("NOSCRIPT No matching script. Please use EVAL.", Fault::Transient),
    ("ERR max number of clients reached", Fault::Transient),
    ("ERR max number of clients + cluster connections reached", Fault::Transient),
    (
        "ERR Error running script (call to f_0): @user_script:1: Script killed by user with SCRIPT KILL...",
        Fault::Transient,
    ),
    (
        "ERR Error running script (call to f_0): @user_script:1: Lua script attempted to execute a write command while \
         the cluster is down and readonly",
        Fault::Transient,
    ),
    (
        "ERR Error running script (call to f_0): @user_script:1: Lua script attempted to execute a command while the \
         cluster is down",
        Fault::Transient,
    ),
    ("READONLY You can't write against a read only replica.", Fault::NotMaster),
    ("READONLY You can't write against a read only replica. script: 0, on @user_script:4.", Fault::NotMaster),
    ("READONLY Can not run script with write flag on readonly replica", Fault::NotMaster),
    (
        "ERR Error running script (call to f_0): @user_script:4: -READONLY You can't write against a read only replica.",
        Fault::NotMaster,
    ),
    ("MASTERDOWN Connection with MASTER is down and replica-serve-stale-data is set to 'no'.", Fault::NotMaster),
    ("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", Fault::NotMaster),
    ("REDIRECT 127.0.0.1:6380", Fault::NotMaster),
    ("NOAUTH Authentication required.", Fault::AccessDenied),
    ("WRONGPASS invalid username-password pair or user is disabled.", Fault::AccessDenied),
    ("DENIED Redis is running in protected mode because protected mode is enabled", Fault::AccessDenied),
    ("ERR operation not permitted", Fault::AccessDenied),
    ("ERR invalid password", Fault::AccessDenied),
    ("ERR AUTH <password> called without any password configured for the default user.", Fault::AccessDenied),
    ("OOM command not allowed when used memory > 'maxmemory'.", Fault::Rejected),
    ("ERR Error running script (call to f_0): @user_script:1: -OOM command not allowed", Fault::Rejected),
    ("NOREPLICAS Not enough good replicas to write.", Fault::Rejected),
    ("ERR Error running script (call to f_0): @user_script:1: -NOREPLICAS Not enough", Fault::Rejected),
    ("MISCONF Errors writing to the AOF file: No space left on device", Fault::Rejected),
    ("ERR Error running script (call to f_0): @user_script:1: -MISCONF Redis is configured", Fault::Rejected),
    ("NOPERM this user has no permissions to run the 'eval' command or its subcommand", Fault::Misconfigured),
    ("NOPERM User app has no permissions to access database 3", Fault::Misconfigured),
    (
        "ERR Error running script (call to f_0): @user_script:8: The user executing the script can't run this command or \
         subcommand",
        Fault::Misconfigured,
    ),
    ("ERR The user executing the script can't access at least one of the keys", Fault::Misconfigured),
    ("ERR ACL failure in script: User limited has no permissions to run the 'set' command", Fault::Misconfigured),
    ("ERR This user has no permissions to run the 'set' command script: 0, on @user_script:1.", Fault::Misconfigured),
    ("CROSSSLOT Keys in request don't hash to the same slot", Fault::Misconfigured),
    ("ERR Command 'set' in script attempted to access keys that don't hash to the same slot", Fault::Misconfigured),
    ("ERR Lua script attempted to access a non local key in a cluster node", Fault::Transient),
    ("NOPROTO unsupported protocol version", Fault::Misconfigured),
    ("ERR unknown command 'EVALSHA', with args beginning with: ", Fault::Misconfigured),
    ("ERR unknown subcommand 'NUMSUB'. Try PUBSUB HELP.", Fault::Misconfigured),
    ("ERR Unknown Redis command called from script script: 0, on @user_script:1.", Fault::Misconfigured),
    ("ERR Unknown command called from script script: 0, on @user_script:1.", Fault::Misconfigured),
    ("ERR Error running script: Unknown Redis command called from Lua script", Fault::Misconfigured),
    ("ERR This Redis command is not allowed from script", Fault::Misconfigured),
    ("ERR This Valkey command is not allowed from script", Fault::Misconfigured),
    ("ERR wrong number of arguments for 'eval' command", Fault::Misconfigured),
    ("ERR Wrong number of args calling command from script", Fault::Misconfigured),
    ("ERR syntax error", Fault::Misconfigured),
    ("ERR value is not an integer or out of range", Fault::Misconfigured),
    ("ERR invalid expire time in 'set' command", Fault::Misconfigured),
    ("ERR Error compiling script (new function): user_script:1: unexpected symbol", Fault::Misconfigured),
    ("ERR DB index is out of range", Fault::Misconfigured),
    ("ERR invalid DB index", Fault::Misconfigured),
    ("ERR SELECT is not allowed in cluster mode", Fault::Misconfigured),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", Fault::WrongType),
    (
        "WRONGTYPE Operation against a key holding the wrong kind of value script: 0, on @user_script:1.",
        Fault::WrongType,
    ),
    ("ERR Error running script (call to f_0): @user_script:1: WRONGTYPE Operation against a key", Fault::WrongType),
    // A proxy's own words, and what nobody has said yet.
    ("ERR upstream failure", Fault::Indeterminate),
    ("ERR Proxy: no route to a backend", Fault::Indeterminate),
    ("upstream connect error", Fault::Indeterminate),
    ("NEWCODE of a server to come", Fault::Indeterminate),
    ("ERR", Fault::Indeterminate),
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
    assert_eq!(broken.error_class(true), ErrorClass::Indeterminate);
    assert_eq!(connect_error_class(broken, true), ErrorClass::Transient, "what was never sent did not happen");
}

#[test]
fn an_error_that_is_not_in_the_table_leaves_it_open_and_the_connection_in_service() {
    assert_eq!(class_of("ERR upstream failure").error_class(true), ErrorClass::Indeterminate);
    assert!(!class_of("ERR upstream failure").spoils_connection());
}

#[test]
fn who_was_let_in_once_is_not_set_up_wrongly() {
    for line in ["NOAUTH Authentication required.", "WRONGPASS invalid username-password pair"] {
        assert_eq!(class_of(line).error_class(false), ErrorClass::Permanent, "{line}");
        assert_eq!(class_of(line).error_class(true), ErrorClass::Transient, "{line}");
        assert!(class_of(line).spoils_connection(), "another connection may be let in: {line}");
    }
    let refused = class_of("ERR DB index is out of range");
    assert_eq!(connect_error_class(refused, false), ErrorClass::Permanent);
    assert_eq!(connect_error_class(refused, true), ErrorClass::Transient);
}

#[test]
fn a_server_that_is_not_the_master_takes_its_connection_out_of_service_in_any_disguise() {
    for (line, _) in SAID.iter().filter(|(line, _)| line.contains("READONLY")) {
        assert!(class_of(line).spoils_connection(), "{line}");
        assert_eq!(class_of(line).error_class(true), ErrorClass::Transient, "{line}");
    }
}
