//! The rules: what each statement does to a version that was built before it.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, AssignmentTarget, ColumnDef, ColumnOption, Delete,
    FromTable, Insert, ObjectName, ObjectType, RenameTableNameKind, SqliteOnConflict, Statement, TableFactor,
    Update,
};

use super::{Own, Remark, short};
use crate::deployment::migrations::{Dialect, Weight};

fn destructive(rule: &'static str, message: String) -> Vec<Remark> {
    vec![Remark::new(rule, Weight::Destructive, message)]
}

fn blocking(rule: &'static str, message: String) -> Vec<Remark> {
    vec![Remark::new(rule, Weight::Blocking, message)]
}

/// What a statement does. A kind of statement that no rule knows is said to be so.
pub(super) fn remarks(statement: &Statement, own: &mut Own, dialect: Dialect) -> Vec<Remark> {
    match statement {
        Statement::CreateTable(table) => {
            own.tables.insert(key(&table.name));
            Vec::new()
        }
        Statement::AlterTable(table) if !own.tables.contains(&key(&table.name)) => altered(table, own),
        Statement::AlterTable(_) => Vec::new(),
        Statement::CreateIndex(index) if own.tables.contains(&key(&index.table_name)) => Vec::new(),
        Statement::CreateIndex(index) if index.unique => destructive(
            "unique-index",
            format!("a unique index on `{}` refuses rows that the old version may write", index.table_name),
        ),
        Statement::CreateIndex(index) if dialect == Dialect::Postgres && !index.concurrently => blocking(
            "blocking-index",
            format!(
                "building an index on `{}` holds up all writes to it; build it beforehand with CONCURRENTLY, and put IF NOT EXISTS here",
                index.table_name
            ),
        ),
        Statement::Drop { object_type, names, .. } => dropped(*object_type, names, own),
        Statement::DropFunction(_) | Statement::DropProcedure { .. } => {
            destructive("drop-function", "it drops a function that the old version may call".to_owned())
        }
        Statement::DropTrigger(drop) => destructive(
            "drop-trigger",
            format!("it drops trigger `{}`, which the old version may rely on", drop.trigger_name),
        ),
        Statement::Truncate(_) => destructive("truncate", "it empties a table".to_owned()),
        Statement::Delete(delete) => deleted(delete, own),
        Statement::Update(update) => updated(update, own),
        Statement::Insert(insert) => inserted(insert),
        Statement::Revoke { .. } => {
            destructive("revoke", "it takes a right away that the old version may need".to_owned())
        }
        Statement::CreateView(view) if view.or_replace => destructive(
            "replace-view",
            format!("it replaces view `{}`, of which the old version may read another form", view.name),
        ),
        Statement::CreateIndex(_)
        | Statement::CreateView(_)
        | Statement::CreateVirtualTable { .. }
        | Statement::CreateTrigger { .. }
        | Statement::CreateType { .. }
        | Statement::CreateSequence { .. }
        | Statement::CreateSchema { .. }
        | Statement::CreateExtension { .. }
        | Statement::CreateFunction { .. }
        | Statement::CreateDomain { .. }
        | Statement::Comment { .. }
        | Statement::Grant { .. }
        | Statement::Analyze { .. }
        | Statement::Pragma { .. }
        | Statement::Query(_) => Vec::new(),
        other => vec![Remark::new(
            "not-known",
            Weight::Unread,
            format!("what it does to a running version is not known: {}", short(&other.to_string())),
        )],
    }
}

/// A name without its quotes, as databases compare it.
fn key(name: &ObjectName) -> String {
    let parts = name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.to_lowercase());
    parts.collect::<Vec<_>>().join(".")
}

fn altered(table: &AlterTable, own: &mut Own) -> Vec<Remark> {
    table.operations.iter().flat_map(|operation| change(&table.name, operation, own)).collect()
}

fn change(table: &ObjectName, operation: &AlterTableOperation, own: &mut Own) -> Vec<Remark> {
    use AlterTableOperation as Op;
    match operation {
        Op::AddColumn { column_def, .. } => added(table, column_def, own),
        Op::DropColumn { column_names, .. } => {
            let names: Vec<String> = column_names.iter().map(ToString::to_string).collect();
            destructive("drop-column", format!("it drops column `{}` of `{table}`", names.join(", ")))
        }
        Op::RenameColumn { old_column_name, .. } | Op::ChangeColumn { old_name: old_column_name, .. } => {
            destructive(
                "rename-column",
                format!(
                    "it renames column `{old_column_name}` of `{table}`, by which the old version knows it"
                ),
            )
        }
        Op::RenameTable { table_name: RenameTableNameKind::To(new) | RenameTableNameKind::As(new) } => {
            destructive(
                "rename-table",
                format!("it renames `{table}` to `{new}`, and the old version knows `{table}`"),
            )
        }
        Op::ModifyColumn { col_name, .. }
        | Op::AlterColumn { column_name: col_name, op: AlterColumnOperation::SetDataType { .. } } => {
            destructive(
                "change-type",
                format!(
                    "it changes the type of column `{col_name}` of `{table}` and locks the table meanwhile"
                ),
            )
        }
        Op::AlterColumn { column_name, op: AlterColumnOperation::SetNotNull } => destructive(
            "set-not-null",
            format!("it refuses rows without `{column_name}` in `{table}`, which the old version may write"),
        ),
        Op::AlterColumn { column_name, op: AlterColumnOperation::DropDefault } => destructive(
            "drop-default",
            format!("it drops the default of `{column_name}` in `{table}`, which the old version may need"),
        ),
        Op::DropConstraint { name, .. } | Op::DropForeignKey { name, .. } => destructive(
            "drop-constraint",
            format!("it drops constraint `{name}` of `{table}`, which the old version may need"),
        ),
        Op::RenameConstraint { old_name, .. } => {
            destructive("rename-constraint", format!("it renames constraint `{old_name}` of `{table}`"))
        }
        Op::DropPrimaryKey { .. } => {
            destructive("drop-constraint", format!("it drops the primary key of `{table}`"))
        }
        Op::AddConstraint { .. } => destructive(
            "add-constraint",
            format!("a new constraint of `{table}` refuses rows that the old version may write"),
        ),
        Op::DropIndex { name } => {
            blocking("drop-index", format!("queries of the old version may need index `{name}`"))
        }
        Op::AlterColumn {
            op:
                AlterColumnOperation::DropNotNull
                | AlterColumnOperation::SetDefault { .. }
                | AlterColumnOperation::AddGenerated { .. },
            ..
        }
        | Op::ValidateConstraint { .. } => Vec::new(),
        other => vec![Remark::new(
            "not-known",
            Weight::Unread,
            format!(
                "what it does to a running version is not known: {}",
                short(&format!("ALTER TABLE {table} {other}"))
            ),
        )],
    }
}

fn added(table: &ObjectName, column: &ColumnDef, own: &mut Own) -> Vec<Remark> {
    own.columns.insert((key(table), column.name.value.to_lowercase()));
    let has = |wanted: fn(&ColumnOption) -> bool| column.options.iter().any(|option| wanted(&option.option));
    let filled = has(|option| matches!(option, ColumnOption::Default(_) | ColumnOption::Generated { .. }));
    let (name, mut remarks) = (&column.name, Vec::new());
    if has(|option| matches!(option, ColumnOption::NotNull)) && !filled {
        remarks.extend(destructive(
            "not-null-without-default",
            format!("`{table}` takes no row without `{name}` any more, and the old version writes none; give it a default"),
        ));
    }
    if has(|option| matches!(option, ColumnOption::Unique(_) | ColumnOption::PrimaryKey(_))) {
        remarks.extend(destructive(
            "unique-column",
            format!("rows of the old version may not be unique by the new column `{name}` of `{table}`"),
        ));
    }
    remarks
}

fn dropped(object: ObjectType, names: &[ObjectName], own: &mut Own) -> Vec<Remark> {
    let others: Vec<String> =
        names.iter().filter(|name| !own.tables.contains(&key(name))).map(ToString::to_string).collect();
    let what = object.to_string().to_lowercase();
    match (others.as_slice(), object) {
        ([], _) => Vec::new(),
        (others, ObjectType::Index) => blocking(
            "drop-index",
            format!("queries of the old version may need index `{}`", others.join(", ")),
        ),
        (others, ObjectType::Table) => {
            destructive("drop-table", format!("it drops table `{}` and its rows", others.join(", ")))
        }
        (others, _) => destructive(
            "drop",
            format!("it drops {what} `{}`, which the old version may need", others.join(", ")),
        ),
    }
}

fn deleted(delete: &Delete, own: &Own) -> Vec<Remark> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let is_own = |factor: &TableFactor| matches!(factor, TableFactor::Table { name, .. } if own.tables.contains(&key(name)));
    if delete.selection.is_some() || from.iter().all(|table| is_own(&table.relation)) {
        return Vec::new();
    }
    destructive("delete-all", "it deletes all rows: there is no WHERE".to_owned())
}

fn updated(update: &Update, own: &Own) -> Vec<Remark> {
    let TableFactor::Table { name, .. } = &update.table.relation else {
        return destructive("update-all", "it changes rows of more than a table".to_owned());
    };
    if update.selection.is_some() || own.tables.contains(&key(name)) {
        return Vec::new();
    }
    let is_new = |target: &AssignmentTarget| match target {
        AssignmentTarget::ColumnName(column) => own.columns.contains(&(key(name), key(column))),
        AssignmentTarget::Tuple(columns) => {
            columns.iter().all(|column| own.columns.contains(&(key(name), key(column))))
        }
    };
    if update.assignments.iter().all(|assignment| is_new(&assignment.target)) {
        return blocking(
            "backfill",
            format!("it fills a new column in all rows of `{name}` at once, and holds up writes meanwhile"),
        );
    }
    destructive("update-all", format!("it changes all rows of `{name}`: there is no WHERE"))
}

fn inserted(insert: &Insert) -> Vec<Remark> {
    if insert.replace_into || insert.or == Some(SqliteOnConflict::Replace) || insert.overwrite {
        return destructive("replace-rows", "it replaces rows that are there".to_owned());
    }
    Vec::new()
}
