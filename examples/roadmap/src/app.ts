import Fastify, { type FastifyInstance } from 'fastify';
import { MemoryRepository, type Repository } from './db/repository.js';
import { assessmentRoutes } from './routes/assessments.js';
import communityRoutes from './routes/communities.js';
import { healthRoutes } from './routes/health.js';
import { userRoutes } from './routes/users.js';
import { AssessmentService } from './services/assessment.service.js';
import { AuditService, type AuditEntry } from './services/audit.service.js';
import { CommunityService } from './services/community.service.js';
import { NotificationService } from './services/notification.service.js';
import { RbacService } from './services/rbac.service.js';
import { UserService } from './services/user.service.js';
import type { Assessment, Community, User } from './types.js';

export interface Stores {
  users: Repository<User>;
  communities: Repository<Community>;
  assessments: Repository<Assessment>;
}

export function memoryStores(): Stores {
  return {
    users: new MemoryRepository<User>(),
    communities: new MemoryRepository<Community>(),
    assessments: new MemoryRepository<Assessment>(),
  };
}

export function buildApp(stores: Stores = memoryStores(), logger = false): FastifyInstance {
  const app = Fastify({ logger });
  const entries: AuditEntry[] = [];
  const audit = new AuditService({
    append: async (entry) => void entries.push(entry),
    recent: async (limit) => entries.slice(-limit),
  });
  const rbac = new RbacService();
  const users = new UserService(stores.users, rbac, audit);
  const communities = new CommunityService(stores.communities, rbac);
  const notifications = new NotificationService({
    send: async (to, text) => app.log.info({ to }, text),
  });
  const assessments = new AssessmentService(stores.assessments, communities, rbac, notifications);

  app.register(healthRoutes);
  app.register(userRoutes, { users });
  app.register(communityRoutes, { communities });
  app.register(assessmentRoutes, { assessments, users });
  return app;
}
