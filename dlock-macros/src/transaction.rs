//! Which types are a database transaction, read off their names.

use proc_macro2::Ident;
use syn::{GenericArgument, PathArguments, Type};

/// Crates whose `Transaction` is one of a database.
const DATABASES: [&str; 8] =
    ["sqlx", "tokio_postgres", "deadpool_postgres", "postgres", "rusqlite", "tokio_rusqlite", "mysql_async", "sea_orm"];

/// Names that mean nothing else.
const TRANSACTIONS: [&str; 6] = [
    "PgTransaction",
    "MySqlTransaction",
    "SqliteTransaction",
    "AnyTransaction",
    "MssqlTransaction",
    "DatabaseTransaction",
];

/// What the type parameter of sqlx's `Transaction<'_, DB>` is.
const BACKENDS: [&str; 6] = ["Postgres", "MySql", "Sqlite", "Any", "Mssql", "DB"];

/// Behind these a transaction is still the caller's.
const WRAPPERS: [&str; 5] = ["Option", "Box", "Arc", "Mutex", "Pin"];

/// The name of the type if it is a database transaction, as far as that can be read off it. Alone, `Transaction` is also
/// what a bank does: it counts only where it borrows a connection, as those of all drivers do, or is called by its crate.
pub(crate) fn find(ty: &Type) -> Option<&Ident> {
    let path = match ty {
        Type::Group(group) => return find(&group.elem),
        Type::Paren(paren) => return find(&paren.elem),
        Type::Reference(reference) => return find(&reference.elem),
        Type::Path(path) => &path.path,
        _ => return None,
    };
    let last = path.segments.last()?;
    let arguments: Vec<&GenericArgument> = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().collect(),
        _ => Vec::new(),
    };
    let types = || {
        arguments.iter().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
    };
    let borrows = arguments.iter().any(|argument| matches!(argument, GenericArgument::Lifetime(_)));
    let of_a_backend = || types().any(|ty| last_name(ty).is_some_and(|name| BACKENDS.contains(&name.as_str())));
    let of_a_database = path.segments.len() > 1
        && path.segments.first().is_some_and(|first| DATABASES.iter().any(|database| first.ident == database));
    let is_one = match last.ident.to_string().as_str() {
        "Transaction" => borrows || of_a_database || of_a_backend(),
        "Tx" => of_a_backend(),
        wrapper if WRAPPERS.contains(&wrapper) => return types().find_map(find),
        name => TRANSACTIONS.contains(&name),
    };
    is_one.then_some(&last.ident)
}

fn last_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one(ty: &str) -> bool {
        find(&syn::parse_str(ty).expect("a type")).is_some()
    }

    #[test]
    fn a_transaction_of_the_caller_is_found_and_the_business_of_a_bank_is_not() {
        for ty in [
            "&mut Transaction<'_, Postgres>",
            "Transaction<'a, Sqlite>",
            "&mut sqlx::Transaction<'_, DB>",
            "sqlx::Transaction<Postgres>",
            "&mut Transaction<Postgres>",
            "&Transaction<'_>",
            "&tokio_postgres::Transaction",
            "&mut deadpool_postgres::Transaction<'_>",
            "PgTransaction<'_>",
            "&DatabaseTransaction",
            "&sea_orm::DatabaseTransaction",
            "Option<&mut sqlx::PgTransaction<'_>>",
            "Arc<Mutex<DatabaseTransaction>>",
            "Tx<Postgres>",
        ] {
            assert!(is_one(ty), "{ty}");
        }
        for ty in [
            "Transaction",
            "&Transaction",
            "&bank::Transaction",
            "Transaction<Money>",
            "BankTransaction",
            "&[Transaction]",
            "Tx",
            "mpsc::Tx<Order>",
            "Vec<BankTransaction>",
            "TransactionId",
            "impl FnOnce(&mut Transaction<'_, Postgres>)",
            "&mut PgConnection",
            "sqlx::PgPool",
        ] {
            assert!(!is_one(ty), "{ty}");
        }
    }
}
