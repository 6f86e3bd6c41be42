export interface AuditEntry {
  at: string;
  actorId: string;
  action: string;
  subjectId: string;
}

export interface AuditSink {
  append(entry: AuditEntry): Promise<void>;
  recent(limit: number): Promise<AuditEntry[]>;
}

export class AuditService {
  constructor(
    private readonly sink: AuditSink,
    private readonly now: () => Date = () => new Date(),
  ) {}

  async record(actorId: string, action: string, subjectId: string): Promise<AuditEntry> {
    if (!actorId) {
      throw new Error('an audit entry needs an actor');
    }
    const entry = { at: this.now().toISOString(), actorId, action, subjectId };
    await this.sink.append(entry);
    return entry;
  }

  async recent(limit = 20): Promise<AuditEntry[]> {
    if (limit < 1) {
      return [];
    }
    return this.sink.recent(limit);
  }
}
