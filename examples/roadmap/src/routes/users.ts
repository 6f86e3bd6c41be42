import type { FastifyPluginAsync } from 'fastify';
import type { UserService } from '../services/user.service.js';
import type { Role, User } from '../types.js';

export interface UserRoutesOptions {
  users: UserService;
}

const userSchema = {
  type: 'object',
  required: ['id', 'email', 'name', 'role'],
  properties: {
    id: { type: 'string' },
    email: { type: 'string' },
    name: { type: 'string' },
    role: { type: 'string' },
  },
} as const;

const createBody = {
  type: 'object',
  required: ['id', 'email', 'name'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', minLength: 1 },
    email: { type: 'string', minLength: 3 },
    name: { type: 'string', minLength: 1 },
    role: { type: 'string', enum: ['admin', 'facilitator', 'member'] },
  },
} as const;

const SYSTEM: User = { id: 'system', email: 'system@localhost', name: 'System', role: 'admin' };

export const userRoutes: FastifyPluginAsync<UserRoutesOptions> = async (app, { users }) => {
  app.get(
    '/users',
    { schema: { response: { 200: { type: 'array', items: userSchema } } } },
    async () => users.list(),
  );

  app.get<{ Params: { id: string } }>(
    '/users/:id',
    { schema: { response: { 200: userSchema } } },
    async (request) => users.get(request.params.id),
  );

  app.post<{ Body: Omit<User, 'role'> & { role?: Role } }>(
    '/users',
    { schema: { body: createBody, response: { 201: userSchema } } },
    async (request, reply) => {
      const created = await users.create(SYSTEM, { role: 'member', ...request.body });
      return reply.code(201).send(created);
    },
  );
};
