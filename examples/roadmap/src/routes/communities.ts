import type { FastifyInstance } from 'fastify';
import type { CommunityService } from '../services/community.service.js';

export interface CommunityRoutesOptions {
  communities: CommunityService;
}

const joinBody = {
  type: 'object',
  required: ['userId'],
  properties: { userId: { type: 'string', minLength: 1 } },
} as const;

export default async function communityRoutes(
  app: FastifyInstance,
  options: CommunityRoutesOptions,
): Promise<void> {
  app.get('/communities', async () => options.communities.list());

  app.get<{ Params: { id: string } }>('/communities/:id', async (request) =>
    options.communities.get(request.params.id),
  );

  app.post<{ Params: { id: string }; Body: { userId: string } }>(
    '/communities/:id/members',
    { schema: { body: joinBody } },
    async (request, reply) => {
      const community = await options.communities.join(request.params.id, request.body.userId);
      return reply.code(201).send(community);
    },
  );
}
