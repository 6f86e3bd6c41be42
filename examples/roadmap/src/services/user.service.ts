import type { Repository } from '../db/repository.js';
import { ConflictError, NotFoundError } from '../errors.js';
import type { User } from '../types.js';
import type { AuditService } from './audit.service.js';
import type { RbacService } from './rbac.service.js';

export class UserService {
  constructor(
    private readonly users: Repository<User>,
    private readonly rbac: RbacService,
    private readonly audit: AuditService,
  ) {}

  async get(id: string): Promise<User> {
    const user = await this.users.find(id);
    if (!user) {
      throw new NotFoundError(`user ${id}`);
    }
    return user;
  }

  async list(): Promise<User[]> {
    return this.users.list();
  }

  async create(actor: User, user: User): Promise<User> {
    this.rbac.require(actor, 'users:write');
    if (await this.users.find(user.id)) {
      throw new ConflictError(`user ${user.id} exists`);
    }
    const saved = await this.users.save(user);
    await this.audit.record(actor.id, 'user.created', saved.id);
    return saved;
  }

  async remove(actor: User, id: string): Promise<void> {
    this.rbac.require(actor, 'users:write');
    if (!(await this.users.remove(id))) {
      throw new NotFoundError(`user ${id}`);
    }
    await this.audit.record(actor.id, 'user.removed', id);
  }
}
