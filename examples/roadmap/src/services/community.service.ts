import type { Repository } from '../db/repository.js';
import { ConflictError, NotFoundError } from '../errors.js';
import type { Community, User } from '../types.js';
import type { RbacService } from './rbac.service.js';

export class CommunityService {
  constructor(
    private readonly communities: Repository<Community>,
    private readonly rbac: RbacService,
  ) {}

  async get(id: string): Promise<Community> {
    const community = await this.communities.find(id);
    if (!community) {
      throw new NotFoundError(`community ${id}`);
    }
    return community;
  }

  async list(): Promise<Community[]> {
    return this.communities.list();
  }

  async create(actor: User, id: string, name: string): Promise<Community> {
    this.rbac.require(actor, 'communities:write');
    return this.communities.save({ id, name, ownerId: actor.id, memberIds: [actor.id] });
  }

  async join(id: string, userId: string): Promise<Community> {
    const community = await this.get(id);
    if (community.memberIds.includes(userId)) {
      throw new ConflictError(`${userId} is a member of ${id}`);
    }
    return this.communities.save({ ...community, memberIds: [...community.memberIds, userId] });
  }
}
