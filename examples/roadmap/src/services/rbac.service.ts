import { ForbiddenError } from '../errors.js';
import type { User } from '../types.js';

export type Role = 'admin' | 'facilitator' | 'member';

export type Permission =
  'users:write' | 'communities:write' | 'assessments:read' | 'assessments:write';

const GRANTS: Record<Role, readonly Permission[]> = {
  admin: ['users:write', 'communities:write', 'assessments:read', 'assessments:write'],
  facilitator: ['communities:write', 'assessments:read', 'assessments:write'],
  member: ['assessments:write'],
};

export class RbacService {
  can(role: Role, permission: Permission): boolean {
    return GRANTS[role].includes(permission);
  }

  permissionsOf(role: Role): readonly Permission[] {
    return GRANTS[role];
  }

  /** Throws `ForbiddenError` where the user's role lacks the permission. */
  require(user: Pick<User, 'role'>, permission: Permission): void {
    if (!this.can(user.role, permission)) {
      throw new ForbiddenError(`role ${user.role} lacks ${permission}`);
    }
  }
}
