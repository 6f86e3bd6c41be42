import type { Role } from './services/rbac.service.js';

export type { Role };

export interface User {
  id: string;
  email: string;
  name: string;
  role: Role;
}

export interface Community {
  id: string;
  name: string;
  ownerId: string;
  memberIds: string[];
}

export type Band = 'low' | 'moderate' | 'high';

export interface Assessment {
  id: string;
  communityId: string;
  userId: string;
  answers: number[];
  score: number;
  band: Band;
}
