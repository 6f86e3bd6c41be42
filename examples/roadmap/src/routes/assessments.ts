import type { FastifyPluginAsync } from 'fastify';
import type { AssessmentService } from '../services/assessment.service.js';
import type { UserService } from '../services/user.service.js';

export interface AssessmentRoutesOptions {
  assessments: AssessmentService;
  users: UserService;
}

const submitBody = {
  type: 'object',
  required: ['id', 'userId', 'communityId', 'answers'],
  properties: {
    id: { type: 'string', minLength: 1 },
    userId: { type: 'string', minLength: 1 },
    communityId: { type: 'string', minLength: 1 },
    answers: {
      type: 'array',
      minItems: 1,
      items: { type: 'integer', minimum: 0, maximum: 4 },
    },
  },
} as const;

interface Submission {
  id: string;
  userId: string;
  communityId: string;
  answers: number[];
}

export const assessmentRoutes: FastifyPluginAsync<AssessmentRoutesOptions> = async (
  app,
  options,
) => {
  app.get<{ Params: { id: string } }>('/assessments/:id', async (request) =>
    options.assessments.get(request.params.id),
  );

  app.post<{ Body: Submission }>(
    '/assessments',
    { schema: { body: submitBody } },
    async (request, reply) => {
      const { id, userId, communityId, answers } = request.body;
      const user = await options.users.get(userId);
      const saved = await options.assessments.submit(user, id, communityId, answers);
      return reply.code(201).send(saved);
    },
  );
};
