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
DROP TABLE IF EXISTS `attempts`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `attempts` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `address` varchar(255) NOT NULL,
  `at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `attempts_at` (`at`),
  KEY `attempts_address_at` (`address`,`at`),
  KEY `attempts_name_address` (`name`,`address`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `attempts` DISABLE KEYS */;
INSERT INTO `attempts` VALUES (1,'alice','192.0.2.1',1767323045678901);
/*!40000 ALTER TABLE `attempts` ENABLE KEYS */;
DROP TABLE IF EXISTS `audit`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `audit` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `at` bigint(20) NOT NULL,
  `actor` varchar(255) NOT NULL,
  `action` varchar(255) NOT NULL,
  `target` varchar(255) NOT NULL,
  `address` varchar(255) NOT NULL,
  `detail` longtext NOT NULL,
  PRIMARY KEY (`id`),
  KEY `audit_at` (`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `audit` DISABLE KEYS */;
INSERT INTO `audit` VALUES (1,1767323045678901,'cli:root','user-create','alice','','virtual');
/*!40000 ALTER TABLE `audit` ENABLE KEYS */;
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
INSERT INTO `changes` VALUES (1,0);
/*!40000 ALTER TABLE `changes` ENABLE KEYS */;
DROP TABLE IF EXISTS `cursors`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `cursors` (
  `name` varchar(255) NOT NULL,
  `value` bigint(20) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `cursors` DISABLE KEYS */;
INSERT INTO `cursors` VALUES ('address',5);
/*!40000 ALTER TABLE `cursors` ENABLE KEYS */;
DROP TABLE IF EXISTS `passwords`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `passwords` (
  `user` varchar(255) NOT NULL,
  `digest` varchar(255) NOT NULL,
  PRIMARY KEY (`user`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `passwords` DISABLE KEYS */;
INSERT INTO `passwords` VALUES ('alice','$argon2id$kept');
/*!40000 ALTER TABLE `passwords` ENABLE KEYS */;
DROP TABLE IF EXISTS `records_migrations`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `records_migrations` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `migrated_at` datetime NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `records_migrations` DISABLE KEYS */;
INSERT INTO `records_migrations` VALUES (1,'001_first','2026-01-01 00:00:00');
/*!40000 ALTER TABLE `records_migrations` ENABLE KEYS */;
DROP TABLE IF EXISTS `sessions`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `sessions` (
  `id` varchar(32) NOT NULL,
  `owner` varchar(255) NOT NULL,
  `grant_id` varchar(32) NOT NULL,
  `application` varchar(255) NOT NULL,
  `image` varchar(255) NOT NULL,
  `type` varchar(255) NOT NULL,
  `state` varchar(255) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `address` varchar(255) NOT NULL,
  `port` int(11) NOT NULL,
  `ready_path` varchar(255) NOT NULL,
  `options` longtext NOT NULL,
  `container_id` varchar(255) NOT NULL,
  `ready_at` bigint(20) DEFAULT NULL,
  `ends_at` bigint(20) DEFAULT NULL,
  `ended_at` bigint(20) DEFAULT NULL,
  `ends_because` longtext NOT NULL,
  `failure` longtext DEFAULT NULL,
  `dismissed` tinyint(1) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `sessions_ended_at` (`ended_at`),
  KEY `sessions_state_dismissed` (`state`,`dismissed`),
  KEY `sessions_owner_ended_at` (`owner`,`ended_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `sessions` DISABLE KEYS */;
INSERT INTO `sessions` VALUES ('cccccccccccccccccccccccccccccccc','alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','Terminal','remoteapp/terminal','vncapp','ready',1767323045678901,'10.213.0.2',8888,'/user/alice/containers/cccccccccccccccccccccccccccccccc/','{\"resolution\":\"1280x800\"}','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',1767326645678901,NULL,NULL,'',NULL,0);
INSERT INTO `sessions` VALUES ('dddddddddddddddddddddddddddddddd','alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','Terminal','remoteapp/terminal','vncapp','failed',1767319445678901,'10.213.0.2',8888,'/user/alice/containers/cccccccccccccccccccccccccccccccc/','{}','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',NULL,NULL,1767323045678901,'failed','{\"code\":\"exited\",\"message\":\"The application ended.\",\"log_tail\":\"no display\"}',0);
INSERT INTO `sessions` VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','alice','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','Terminal','remoteapp/terminal','vncapp','stopped',1767315845678901,'10.213.0.2',8888,'/user/alice/containers/cccccccccccccccccccccccccccccccc/','{\"resolution\":\"1280x800\"}','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',1767326645678901,NULL,1767323045678901,'stopped',NULL,0);
/*!40000 ALTER TABLE `sessions` ENABLE KEYS */;
DROP TABLE IF EXISTS `signins`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `signins` (
  `id` varchar(255) NOT NULL,
  `user` varchar(255) NOT NULL,
  `kind` varchar(255) NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `expires_at` bigint(20) NOT NULL,
  `address` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `signins_user` (`user`),
  KEY `signins_expires_at` (`expires_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `signins` DISABLE KEYS */;
INSERT INTO `signins` VALUES ('1111111111111111111111111111111111111111111111111111111111111111','alice','user',1767323045678901,1767326645678901,'192.0.2.1');
/*!40000 ALTER TABLE `signins` ENABLE KEYS */;
DROP TABLE IF EXISTS `tokens`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `tokens` (
  `id` varchar(255) NOT NULL,
  `user` varchar(255) NOT NULL,
  `name` varchar(255) NOT NULL,
  `scopes` longtext NOT NULL,
  `created_at` bigint(20) NOT NULL,
  `expires_at` bigint(20) NOT NULL,
  `digest` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `tokens_digest` (`digest`),
  KEY `tokens_user` (`user`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `tokens` DISABLE KEYS */;
INSERT INTO `tokens` VALUES ('22222222222222222222222222222222','alice','laptop','[\"sessions:read\",\"sessions:write\"]',1767323045678901,1767326645678901,'3333333333333333333333333333333333333333333333333333333333333333');
/*!40000 ALTER TABLE `tokens` ENABLE KEYS */;
DROP TABLE IF EXISTS `usage`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `usage` (
  `session_id` varchar(32) NOT NULL,
  `user` varchar(255) NOT NULL,
  `application` varchar(255) NOT NULL,
  `image` varchar(255) NOT NULL,
  `started_at` bigint(20) NOT NULL,
  `ended_at` bigint(20) NOT NULL,
  `reason` longtext NOT NULL,
  PRIMARY KEY (`session_id`),
  KEY `usage_user` (`user`),
  KEY `usage_started_at` (`started_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!40000 ALTER TABLE `usage` DISABLE KEYS */;
INSERT INTO `usage` VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','alice','Terminal','remoteapp/terminal',1767315845678901,1767323045678901,'stopped');
/*!40000 ALTER TABLE `usage` ENABLE KEYS */;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;
