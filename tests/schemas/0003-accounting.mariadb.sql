/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
DROP TABLE IF EXISTS `accounting_migrations`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `accounting_migrations` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `migrated_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `accounting_migrations` DISABLE KEYS */;
INSERT INTO `accounting_migrations` VALUES (1,'001_first','2026-01-01 00:00:00');
INSERT INTO `accounting_migrations` VALUES (2,'002_groups','2026-02-01 00:00:00');
INSERT INTO `accounting_migrations` VALUES (3,'003_images','2026-11-23 02:58:15');
/*!40000 ALTER TABLE `accounting_migrations` ENABLE KEYS */;
DROP TABLE IF EXISTS `applications`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `applications` (
  `id` varchar(32) NOT NULL,
  `image` varchar(255) NOT NULL,
  `display_name` varchar(255) NOT NULL,
  `description` longtext NOT NULL,
  `category` varchar(255) NOT NULL,
  `port` int(11) DEFAULT NULL,
  `command` longtext NOT NULL,
  `environment` longtext NOT NULL,
  `ready_path` varchar(255) NOT NULL,
  `strip_path` tinyint(1) NOT NULL,
  `run_as` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `applications_image` (`image`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `applications` DISABLE KEYS */;
INSERT INTO `applications` VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','remoteapp/terminal','Terminal','A desktop with a terminal','Desktops',8888,'[\"start\",\"--now\"]','{\"COLOUR\":\"blue\"}','/ready',0,'user');
/*!40000 ALTER TABLE `applications` ENABLE KEYS */;
DROP TABLE IF EXISTS `changes`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `changes` (
  `id` int(11) NOT NULL,
  `writes` bigint(20) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `changes` DISABLE KEYS */;
INSERT INTO `changes` VALUES (1,3);
/*!40000 ALTER TABLE `changes` ENABLE KEYS */;
DROP TABLE IF EXISTS `given_uids`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `given_uids` (
  `uid` int(11) NOT NULL,
  PRIMARY KEY (`uid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `given_uids` DISABLE KEYS */;
INSERT INTO `given_uids` VALUES (70000);
INSERT INTO `given_uids` VALUES (70001);
/*!40000 ALTER TABLE `given_uids` ENABLE KEYS */;
DROP TABLE IF EXISTS `grants`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `grants` (
  `id` varchar(32) NOT NULL,
  `user_id` int(11) DEFAULT NULL,
  `application_id` varchar(32) NOT NULL,
  `policy_id` int(11) NOT NULL,
  `group_id` int(11) DEFAULT NULL,
  `grantee` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `grants_grantee_application_id_policy_id` (`grantee`,`application_id`,`policy_id`),
  KEY `grants_user_id` (`user_id`),
  KEY `grants_application_id` (`application_id`),
  KEY `grants_policy_id` (`policy_id`),
  KEY `grants_group_id` (`group_id`),
  CONSTRAINT `fk_grants_group_id_refs_groups` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`) ON DELETE CASCADE,
  CONSTRAINT `grants_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE,
  CONSTRAINT `grants_ibfk_2` FOREIGN KEY (`application_id`) REFERENCES `applications` (`id`) ON DELETE CASCADE,
  CONSTRAINT `grants_ibfk_3` FOREIGN KEY (`policy_id`) REFERENCES `policies` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `grants` DISABLE KEYS */;
INSERT INTO `grants` VALUES ('9a0ddc2b92ab230e1ba5d2c80317afb7',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',2,NULL,'everyone');
INSERT INTO `grants` VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',1,NULL,'user:1');
INSERT INTO `grants` VALUES ('cafa799d5a585fa36031699e1fadc982',NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',2,1,'group:1');
/*!40000 ALTER TABLE `grants` ENABLE KEYS */;
DROP TABLE IF EXISTS `groups`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `groups` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `groups_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `groups` DISABLE KEYS */;
INSERT INTO `groups` VALUES (1,'lab');
/*!40000 ALTER TABLE `groups` ENABLE KEYS */;
DROP TABLE IF EXISTS `memberships`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `memberships` (
  `user_id` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  PRIMARY KEY (`user_id`,`group_id`),
  KEY `memberships_user_id` (`user_id`),
  KEY `memberships_group_id` (`group_id`),
  CONSTRAINT `memberships_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE,
  CONSTRAINT `memberships_ibfk_2` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `memberships` DISABLE KEYS */;
INSERT INTO `memberships` VALUES (1,1);
INSERT INTO `memberships` VALUES (2,1);
/*!40000 ALTER TABLE `memberships` ENABLE KEYS */;
DROP TABLE IF EXISTS `policies`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `policies` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `allow_home` tinyint(1) NOT NULL,
  `share` varchar(255) NOT NULL,
  `memory` bigint(20) DEFAULT NULL,
  `cpus` double DEFAULT NULL,
  `pids` int(11) DEFAULT NULL,
  `max_sessions` int(11) DEFAULT NULL,
  `volumes` longtext NOT NULL,
  `allow_startup_data` tinyint(1) NOT NULL,
  `app_license` longtext NOT NULL,
  `network` varchar(255) DEFAULT NULL,
  `max_lifetime` bigint(20) DEFAULT NULL,
  `digest` varchar(255) NOT NULL,
  `legacy_home` tinyint(1) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `policies_digest` (`digest`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `policies` DISABLE KEYS */;
INSERT INTO `policies` VALUES (1,1,'control',536870912,0.5,64,2,'[]',0,'',NULL,NULL,'e7737fe7f8629395520ac75fa4b363f081774b1edd93686f203021352d5cd99d',0);
INSERT INTO `policies` VALUES (2,1,'none',NULL,1.5,NULL,NULL,'[{\"source\":\"/srv/data\",\"target\":\"/data\",\"mode\":\"ro\"}]',1,'kept-licence','none',86400,'a9eef36d1372692aeeb2551ce51ebc3a3e084b99c978b15b56cf12473615500b',0);
/*!40000 ALTER TABLE `policies` ENABLE KEYS */;
DROP TABLE IF EXISTS `users`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `kind` varchar(255) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `admin` tinyint(1) NOT NULL,
  `uid` int(11) DEFAULT NULL,
  `gid` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `users_name` (`name`),
  UNIQUE KEY `users_uid` (`uid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `users` DISABLE KEYS */;
INSERT INTO `users` VALUES (1,'alice','virtual',1,0,70000,70000);
INSERT INTO `users` VALUES (2,'bob','system',0,0,NULL,NULL);
INSERT INTO `users` VALUES (3,'admin','virtual',1,1,70001,70001);
/*!40000 ALTER TABLE `users` ENABLE KEYS */;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;
