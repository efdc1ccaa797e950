//! One object, one account: the provider's ids are its own all over, so a page with an id that another account holds is
//! that account's, read by a second connection. Nothing of it enters: every total would count it twice. Only what belongs to
//! no connection any more goes over to the one that reads it now.

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
    /// It has it. An account that had the name before held nothing and lost it.
    Done,
    /// There is no connection of the old name.
    Unknown,
    /// The new name is that of an account with rows, or of another provider.
    Taken,
}

impl Store {
    /// Refuses a page with an id that another connection's account holds. What an account holds whose connection was removed
    /// becomes this one's, and the page is merged with it.
    pub(super) fn held_once(&self, commit: &Commit) -> Result<()> {
        let others = self.others(commit.upsert.account)?;
        if others.is_empty() || planted("stored_twice") {
            return Ok(());
        }
        for (number, target) in commit.upsert.tables.iter().enumerate() {
            let Some(cell) = target.id else { continue };
            let mut holders = Vec::new();
            for other in &others {
                if self.holds_any(other.account, std::slice::from_ref(&target.name))? {
                    holders.push(other);
                }
            }
            let rows = &commit.page.tables[number];
            for row in (0..rows.len()).filter(|_| !holders.is_empty()) {
                self.holder_of(commit, &target.name, commit.page.text(rows.row(row)[cell]), &holders)?;
            }
        }
        Ok(())
    }

    fn holder_of(&self, commit: &Commit, table: &str, id: &str, others: &[&Account]) -> Result<()> {
        let mut held = self.holds(commit.upsert.account, table, id)?;
        for other in others {
            if held || !self.holds(other.account, table, id)? {
                continue;
            }
            if let Some(name) = &other.connection {
                return Err(problem::SYNC_HELD_TWICE.with(format!("by {name}")));
            }
            held = true;
            self.take_over(commit, (table, "id"), (other.account, id))?;
            // Elements without ids of their own hang on the record's.
            for child in commit.upsert.tables.iter().filter(|child| child.parent_id.is_some()) {
                self.take_over(commit, (&child.name, &child.key[0]), (other.account, id))?;
            }
        }
        Ok(())
    }

    fn take_over(&self, commit: &Commit, (table, column): (&str, &str), (from, id): (i64, &str)) -> Result<()> {
        let sql =
            format!("UPDATE {table} SET account = ?1, read_seq = 0, read_at = 0 WHERE account = ?2 AND {column} = ?3");
        // Whatever the other connection read last, what this page shows takes its place: numbers of reads order those of one
        // connection only.
        let doing = "taking over what a removed connection held";
        self.connection.execute_cached(&sql, params![commit.upsert.account, from, id]).doing(doing).map(|_| ())
    }

    /// The provider's other accounts.
    fn others(&self, account: i64) -> Result<Vec<Account>> {
        let all = self.accounts()?;
        let provider = all.iter().find(|one| one.account == account).map(|own| own.provider.clone());
        Ok(all.into_iter().filter(|one| one.account != account && Some(&one.provider) == provider.as_ref()).collect())
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
        self.remove_connection(new, now_ms)?;
        let sql = "UPDATE accounts SET connection = ?2 WHERE account = ?1";
        self.connection.execute_cached(sql, params![renamed.account, new]).doing("renaming a connection")?;
        Ok(Renamed::Done)
    }
}
