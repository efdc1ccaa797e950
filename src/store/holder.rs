//! One object, one account: the provider's ids are its own all over, so a page with an id that another account holds is
//! that account's, read by a second connection. Nothing of it enters: every total would count it twice.

use rusqlite::{OptionalExtension, params};

use super::accounts::Account;
use super::cached::Cached;
use super::commit::Commit;
use super::fault::Doing;
use super::open::Store;
use crate::problem::{self, Result};
use crate::testpoint::planted;

/// What became of giving a connection another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renamed {
    /// It has it. The account that had the name before held nothing and lost it.
    Done {
        /// That account, if there was one.
        freed: Option<Account>,
    },
    /// There is no connection of the old name.
    Unknown,
    /// The new name is that of an account with rows, or of another provider.
    Taken,
}

impl Store {
    /// Refuses a page with an id that another account of the provider holds.
    pub(super) fn held_once(&self, commit: &Commit) -> Result<()> {
        let doing = "looking for other holders of a page";
        let (account, table) = (commit.upsert.account, &commit.upsert.stream);
        let sql = "SELECT 1 FROM accounts WHERE account <> ?1 AND provider = (SELECT provider FROM accounts WHERE account = ?1)";
        let alone = self.connection.row_cached(sql, [account], |_| Ok(())).optional().doing(doing)?.is_none();
        if alone || planted("held_twice") {
            return Ok(());
        }
        let sql = format!(
            "SELECT account FROM {table} WHERE id = ?2 AND account IN (SELECT account FROM accounts
                WHERE account <> ?1 AND provider = (SELECT provider FROM accounts WHERE account = ?1))"
        );
        for id in commit.page.ids() {
            let holder = self.connection.row_cached(&sql, params![account, id], |row| row.get(0)).optional();
            if let Some(holder) = holder.doing(doing)? {
                return Err(self.held_by(holder));
            }
        }
        Ok(())
    }

    /// What is told of objects that this account holds.
    pub fn held_by(&self, holder: i64) -> problem::Problem {
        let known = self.accounts().ok().and_then(|all| all.into_iter().find(|one| one.account == holder));
        let name = known.and_then(|one| one.connection).unwrap_or_else(|| "a connection that was removed".to_owned());
        problem::SYNC_HELD_TWICE.with(format!("by {name}"))
    }

    /// True when an account has a row in any of these tables.
    pub fn holds_any(&self, account: i64, tables: &[String]) -> Result<bool> {
        for table in tables {
            let sql = format!("SELECT 1 FROM {table} WHERE account = ?1 LIMIT 1");
            let found = self.connection.row_cached(&sql, [account], |_| Ok(())).optional();
            if found.doing("looking for rows")?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives a connection another name; rows and key stay. An account that has the name already and holds nothing in
    /// `tables` (the section was renamed in the file before) gives it up.
    pub fn rename_connection(&mut self, old: &str, new: &str, tables: &[String], now_ms: i64) -> Result<Renamed> {
        let Some(renamed) = self.account(old)? else { return Ok(Renamed::Unknown) };
        let freed = self.account(new)?;
        if let Some(freed) = &freed
            && (freed.provider != renamed.provider
                || freed.account == renamed.account
                || self.holds_any(freed.account, tables)?)
        {
            return Ok(Renamed::Taken);
        }
        self.name(renamed.account, new, now_ms)?;
        Ok(Renamed::Done { freed })
    }

    /// Gives an account a name, and takes it from the one that has it.
    pub fn name(&mut self, account: i64, name: &str, now_ms: i64) -> Result<()> {
        let doing = "renaming a connection";
        self.remove_connection(name, now_ms)?;
        let sql = "UPDATE accounts SET connection = ?2, removed_at = NULL WHERE account = ?1";
        self.connection.execute_cached(sql, params![account, name]).doing(doing).map(|_| ())
    }
}
