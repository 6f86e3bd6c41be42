/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('users', (table) => {
    table.string('id').primary();
    table.string('email').notNullable().unique();
    table.string('name').notNullable();
    table.string('role').notNullable();
  });
  await knex.schema.createTable('communities', (table) => {
    table.string('id').primary();
    table.string('name').notNullable();
    table.string('ownerId').notNullable().references('users.id');
    table.jsonb('memberIds').notNullable();
  });
  await knex.schema.createTable('assessments', (table) => {
    table.string('id').primary();
    table.string('communityId').notNullable().references('communities.id');
    table.string('userId').notNullable().references('users.id');
    table.jsonb('answers').notNullable();
    table.integer('score').notNullable();
    table.string('band').notNullable();
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('assessments');
  await knex.schema.dropTable('communities');
  await knex.schema.dropTable('users');
}
