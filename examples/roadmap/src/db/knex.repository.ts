import type { Knex } from 'knex';
import type { Repository } from './repository.js';

/** Rows of one table in Postgres. */
export class KnexRepository<T extends { id: string }> implements Repository<T> {
  constructor(
    private readonly knex: Knex,
    private readonly table: string,
  ) {}

  async find(id: string): Promise<T | undefined> {
    return this.knex(this.table).where({ id }).first();
  }

  async list(): Promise<T[]> {
    return this.knex(this.table).select('*').orderBy('id');
  }

  async save(row: T): Promise<T> {
    await this.knex(this.table).insert(row).onConflict('id').merge();
    return row;
  }

  async remove(id: string): Promise<boolean> {
    return (await this.knex(this.table).where({ id }).delete()) > 0;
  }
}
