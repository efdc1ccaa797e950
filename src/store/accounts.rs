//! Accounts: what rows and keys hang on. The connection's name is only a label.

use rusqlite::{OptionalExtension, params};

use super::cached::Cached;
use super::fault::Doing;
use super::open::Store;
use crate::entropy::Entropy;
use crate::problem::Result;

/// One merchant account at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The key that rows carry.
    pub account: i64,
    /// The name in the vault.
    pub uuid: String,
    /// The connection's name; `None` once it was removed.
    pub connection: Option<String>,
    /// stripe, checkoutcom.
    pub provider: String,
    /// Live or test, once known.
    pub livemode: Option<bool>,
}

const COLUMNS: &str = "account, uuid, connection, provider, livemode";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        account: row.get(0)?,
        uuid: row.get(1)?,
        connection: row.get(2)?,
        provider: row.get(3)?,
        livemode: row.get(4)?,
    })
}

/// What ids of this first and this last one have in common, and two letters or digits by lot.
fn between(first: &str, last: &str, lot: u64) -> String {
    const SIGNS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let common = first.chars().zip(last.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a);
    let sign = |lot: u64| char::from(SIGNS[(lot % SIGNS.len() as u64) as usize]);
    common.chain([sign(lot), sign(lot / SIGNS.len() as u64)]).collect()
}

/// All accounts, removed ones last.
pub(super) fn accounts(connection: &rusqlite::Connection) -> Result<Vec<Account>> {
    let doing = "reading accounts";
    let sql = format!("SELECT {COLUMNS} FROM accounts ORDER BY connection IS NULL, connection, account");
    let mut statement = connection.prepare_cached(&sql).doing(doing)?;
    statement.query_map([], read).doing(doing)?.collect::<rusqlite::Result<_>>().doing(doing)
}

impl Store {
    /// The account of a connection.
    pub fn account(&self, connection: &str) -> Result<Option<Account>> {
        let sql = format!("SELECT {COLUMNS} FROM accounts WHERE connection = ?1");
        self.connection.row_cached(&sql, [connection], read).optional().doing("reading accounts")
    }

    /// All accounts, removed ones last.
    pub fn accounts(&self) -> Result<Vec<Account>> {
        accounts(&self.connection)
    }

    /// The account of a connection, made when the name is new.
    pub fn ensure_account(
        &mut self,
        connection: &str,
        provider: &str,
        now_ms: i64,
        entropy: &dyn Entropy,
    ) -> Result<Account> {
        if let Some(account) = self.account(connection)? {
            return Ok(account);
        }
        let sql = "INSERT INTO accounts (uuid, connection, provider, created_at) VALUES (?1, ?2, ?3, ?4)";
        let uuid = entropy.uuid();
        self.connection.execute_cached(sql, params![uuid, connection, provider, now_ms]).doing("making an account")?;
        let account = self.connection.last_insert_rowid();
        let (connection, provider) = (Some(connection.to_owned()), provider.to_owned());
        Ok(Account { account, uuid, connection, provider, livemode: None })
    }

    /// Removes a connection's name; its rows stay. False when there is none.
    pub fn remove_connection(&mut self, name: &str, now_ms: i64) -> Result<bool> {
        let sql = "UPDATE accounts SET connection = NULL, removed_at = ?2 WHERE connection = ?1";
        self.connection
            .execute_cached(sql, params![name, now_ms])
            .doing("removing a connection")
            .map(|changed| changed == 1)
    }

    /// Notes the mode that the key was seen to have.
    pub fn set_livemode(&mut self, account: i64, live: bool) -> Result<()> {
        let sql = "UPDATE accounts SET livemode = ?2 WHERE account = ?1";
        self.connection.execute_cached(sql, params![account, live]).doing("storing the mode").map(|_| ())
    }

    /// True when the store holds a row of this stream with this id.
    pub fn holds(&self, account: i64, stream: &str, id: &str) -> Result<bool> {
        let sql = format!("SELECT 1 FROM {stream} WHERE account = ?1 AND id = ?2");
        let found = self.connection.row_cached(&sql, params![account, id], |_| Ok(())).optional();
        found.doing("looking for a row").map(|found| found.is_some())
    }

    /// The id of a row of this account that is not deleted, from a place among the ids that `lot` chooses. By the key: the
    /// others are not looked at.
    pub fn some_id(&self, account: i64, stream: &str, lot: u64) -> Result<Option<String>> {
        let doing = "looking for a row";
        let end = |order: &str| {
            let sql =
                format!("SELECT id FROM {stream} WHERE account = ?1 ORDER BY account {order}, id {order} LIMIT 1");
            self.connection.row_cached(&sql, [account], |row| row.get::<_, String>(0)).optional().doing(doing)
        };
        let Some((first, last)) = end("ASC")?.zip(end("DESC")?) else { return Ok(None) };
        let sql = format!(
            "SELECT id FROM {stream} WHERE account = ?1 AND id >= ?2 AND deleted_at IS NULL ORDER BY account, id LIMIT 1"
        );
        for from in [between(&first, &last, lot), first] {
            let found = self.connection.row_cached(&sql, params![account, from], |row| row.get(0)).optional();
            if let Some(id) = found.doing(doing)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Rows of a stream that the store holds for an account.
    pub fn count_rows(&self, account: i64, stream: &str) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {stream} WHERE account = ?1");
        self.connection.row_cached(&sql, [account], |row| row.get(0)).doing("counting rows")
    }
}
