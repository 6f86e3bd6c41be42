export interface Repository<T extends { id: string }> {
  find(id: string): Promise<T | undefined>;
  list(): Promise<T[]>;
  save(row: T): Promise<T>;
  remove(id: string): Promise<boolean>;
}

/** Rows in memory: development and tests. */
export class MemoryRepository<T extends { id: string }> implements Repository<T> {
  private readonly rows = new Map<string, T>();

  async find(id: string): Promise<T | undefined> {
    return this.rows.get(id);
  }

  async list(): Promise<T[]> {
    return [...this.rows.values()];
  }

  async save(row: T): Promise<T> {
    this.rows.set(row.id, row);
    return row;
  }

  async remove(id: string): Promise<boolean> {
    return this.rows.delete(id);
  }
}
