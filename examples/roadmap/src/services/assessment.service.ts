import type { Repository } from '../db/repository.js';
import { ForbiddenError, NotFoundError } from '../errors.js';
import type { Assessment, User } from '../types.js';
import type { CommunityService } from './community.service.js';
import type { NotificationService } from './notification.service.js';
import type { RbacService } from './rbac.service.js';
import { bandOf, scoreAnswers } from './scoring.service.js';

export class AssessmentService {
  constructor(
    private readonly assessments: Repository<Assessment>,
    private readonly communities: CommunityService,
    private readonly rbac: RbacService,
    private readonly notifications: NotificationService,
  ) {}

  async get(id: string): Promise<Assessment> {
    const assessment = await this.assessments.find(id);
    if (!assessment) {
      throw new NotFoundError(`assessment ${id}`);
    }
    return assessment;
  }

  async submit(
    user: User,
    id: string,
    communityId: string,
    answers: number[],
  ): Promise<Assessment> {
    this.rbac.require(user, 'assessments:write');
    const community = await this.communities.get(communityId);
    if (!community.memberIds.includes(user.id)) {
      throw new ForbiddenError(`${user.id} is not a member of ${communityId}`);
    }
    const score = scoreAnswers(answers);
    const band = bandOf(score);
    const saved = await this.assessments.save({
      id,
      communityId,
      userId: user.id,
      answers,
      score,
      band,
    });
    if (band === 'low') {
      await this.notifications.notify(community.ownerId, `assessment ${id} is low`);
    }
    return saved;
  }

  async ofCommunity(reader: User, communityId: string): Promise<Assessment[]> {
    this.rbac.require(reader, 'assessments:read');
    const all = await this.assessments.list();
    return all.filter((assessment) => assessment.communityId === communityId);
  }
}
