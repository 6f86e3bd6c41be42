//! The rules: what each statement does to a version that was built before it.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, AssignmentTarget, ColumnDef, ColumnOption,
    ConditionalStatements, CreateTrigger, Delete, FromTable, Insert, ObjectName, ObjectType, OnConflict,
    OnConflictAction, OnInsert, Query, RenameTableNameKind, SetExpr, SqliteOnConflict, Statement,
    TableFactor, Update,
};

use super::condition::{is_met_without, picks};
use super::own::Own;
use super::{Remark, calls, short};
use crate::deployment::migrations::{Dialect, Weight};

fn destructive(rule: &'static str, message: String) -> Vec<Remark> {
    vec![Remark::new(rule, Weight::Destructive, message)]
}

fn blocking(rule: &'static str, message: String) -> Vec<Remark> {
    vec![Remark::new(rule, Weight::Blocking, message)]
}

/// What a statement does, and what it calls.
pub(super) fn remarks(statement: &Statement, own: &mut Own, dialect: Dialect) -> Vec<Remark> {
    // The functions of SQLite's own command change nothing.
    let called = Some(statement).filter(|_| dialect == Dialect::Postgres).and_then(calls::remark);
    judged(statement, own, dialect).into_iter().chain(called).collect()
}

/// What a statement does. A kind of statement that no rule knows is said to be so.
fn judged(statement: &Statement, own: &mut Own, dialect: Dialect) -> Vec<Remark> {
    match statement {
        Statement::CreateTable(table) => {
            own.makes(&table.name, table.if_not_exists);
            Vec::new()
        }
        Statement::AlterTable(table) if !own.has(&table.name) => altered(table, own),
        Statement::AlterTable(table) => {
            if table.operations.iter().any(|change| matches!(change, AlterTableOperation::RenameTable { .. }))
            {
                own.gives_up(&table.name);
            }
            Vec::new()
        }
        Statement::CreateIndex(index) if own.has(&index.table_name) => Vec::new(),
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
        Statement::Query(query) => queried(query, own, dialect),
        Statement::CreateFunction(function) if function.or_replace => destructive(
            "replace-function",
            format!("it replaces function `{}`, which the old version may call", function.name),
        ),
        Statement::CreateTrigger(trigger) => triggered(trigger, own, dialect),
        Statement::Pragma { name, value, .. } if value.is_some() || !is_question(name) => vec![Remark::new(
            "pragma",
            Weight::Unread,
            format!("what it does to a running version is not known: {}", short(&statement.to_string())),
        )],
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
        | Statement::CreateType { .. }
        | Statement::CreateSequence { .. }
        | Statement::CreateSchema { .. }
        | Statement::CreateExtension { .. }
        | Statement::CreateFunction { .. }
        | Statement::CreateDomain { .. }
        | Statement::Comment { .. }
        | Statement::Grant { .. }
        | Statement::Analyze { .. }
        | Statement::Pragma { .. } => Vec::new(),
        other => vec![Remark::new(
            "not-known",
            Weight::Unread,
            format!("what it does to a running version is not known: {}", short(&other.to_string())),
        )],
    }
}

/// What a trigger does to the writes of its table, and what each of its own statements does then.
fn triggered(trigger: &CreateTrigger, own: &mut Own, dialect: Dialect) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if !own.has(&trigger.table_name) && may_refuse(trigger, dialect) {
        remarks.extend(destructive(
            "create-trigger",
            format!(
                "trigger `{}` may refuse or change what the old version writes to `{}`",
                trigger.name, trigger.table_name
            ),
        ));
    }
    for statement in trigger.statements.iter().flat_map(ConditionalStatements::statements) {
        remarks.extend(judged(statement, own, dialect));
    }
    remarks
}

/// Whether a trigger may refuse a row: what a function of PostgreSQL does is not seen.
fn may_refuse(trigger: &CreateTrigger, dialect: Dialect) -> bool {
    let text = trigger.to_string().to_uppercase();
    dialect == Dialect::Postgres || ["RAISE", "BEFORE", "INSTEAD"].iter().any(|word| text.contains(word))
}

/// Whether a pragma only tells something, where it is given no value.
fn is_question(name: &ObjectName) -> bool {
    ["foreign_keys", "user_version", "schema_version", "journal_mode", "table_info", "index_list"]
        .contains(&name.to_string().to_lowercase().as_str())
}

/// A query may be no question: its body, or what it is `WITH`, may change rows.
fn queried(query: &Query, own: &mut Own, dialect: Dialect) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for table in query.with.iter().flat_map(|with| &with.cte_tables) {
        remarks.extend(queried(&table.query, own, dialect));
    }
    remarks.extend(body(&query.body, own, dialect));
    remarks
}

fn body(set: &SetExpr, own: &mut Own, dialect: Dialect) -> Vec<Remark> {
    match set {
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => judged(statement, own, dialect),
        SetExpr::Query(query) => queried(query, own, dialect),
        SetExpr::SetOperation { left, right, .. } => {
            body(left, own, dialect).into_iter().chain(body(right, own, dialect)).collect()
        }
        SetExpr::Select(select) if select.into.is_some() => {
            vec![Remark::new("not-known", Weight::Unread, "it makes a table of what it selects")]
        }
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Table(_) => Vec::new(),
    }
}

fn altered(table: &AlterTable, own: &mut Own) -> Vec<Remark> {
    table.operations.iter().flat_map(|operation| change(&table.name, operation, own)).collect()
}

fn change(table: &ObjectName, operation: &AlterTableOperation, own: &mut Own) -> Vec<Remark> {
    use AlterTableOperation as Op;
    match operation {
        Op::AddColumn { column_def, if_not_exists, .. } => {
            own.adds(table, &column_def.name, *if_not_exists);
            added(table, column_def)
        }
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

fn added(table: &ObjectName, column: &ColumnDef) -> Vec<Remark> {
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
    // What asks for other columns, too, binds what the old version writes to them.
    let may_refuse = |option: &ColumnOption| matches!(option, ColumnOption::Check(check) if !is_met_without(name, &check.expr));
    if column.options.iter().any(|option| may_refuse(&option.option)) {
        remarks.extend(destructive(
            "add-constraint",
            format!("the CHECK of the new column `{name}` of `{table}` may refuse rows that the old version writes"),
        ));
    }
    remarks
}

fn dropped(object: ObjectType, names: &[ObjectName], own: &mut Own) -> Vec<Remark> {
    // Of all that is dropped only a table can be its own: a schema may have the name of one.
    let is_own = |name: &&ObjectName| object == ObjectType::Table && own.has(name);
    let others: Vec<String> = names.iter().filter(|name| !is_own(name)).map(ToString::to_string).collect();
    for name in names {
        own.gives_up(name);
    }
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
    let is_own = |factor: &TableFactor| matches!(factor, TableFactor::Table { name, .. } if own.has(name));
    if picks(delete.selection.as_ref()) || from.iter().all(|table| is_own(&table.relation)) {
        return Vec::new();
    }
    destructive("delete-all", "it deletes all rows, or many: there is no WHERE that picks some".to_owned())
}

fn updated(update: &Update, own: &Own) -> Vec<Remark> {
    let TableFactor::Table { name, .. } = &update.table.relation else {
        return destructive("update-all", "it changes rows of more than a table".to_owned());
    };
    if picks(update.selection.as_ref()) || own.has(name) {
        return Vec::new();
    }
    let is_new = |target: &AssignmentTarget| match target {
        AssignmentTarget::ColumnName(column) => own.has_column(name, column),
        AssignmentTarget::Tuple(columns) => columns.iter().all(|column| own.has_column(name, column)),
    };
    if update.assignments.iter().all(|assignment| is_new(&assignment.target)) {
        return blocking(
            "backfill",
            format!("it fills a new column in all rows of `{name}` at once, and holds up writes meanwhile"),
        );
    }
    destructive(
        "update-all",
        format!("it changes all rows of `{name}`, or many: there is no WHERE that picks some"),
    )
}

fn inserted(insert: &Insert) -> Vec<Remark> {
    if insert.replace_into || insert.or == Some(SqliteOnConflict::Replace) || insert.overwrite {
        return destructive("replace-rows", "it replaces rows that are there".to_owned());
    }
    let updates = matches!(&insert.on, Some(OnInsert::DuplicateKeyUpdate(_)))
        || matches!(
            &insert.on,
            Some(OnInsert::OnConflict(OnConflict { action: OnConflictAction::DoUpdate(_), .. }))
        );
    if updates {
        return destructive("replace-rows", "it changes rows that are there".to_owned());
    }
    Vec::new()
}
